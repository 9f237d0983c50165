"""The core as a server; the only place where objects are put together."""
