"""Changes to a reply before it is spoken."""
