"""Programs that run beside the core."""
