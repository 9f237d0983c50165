"""When to listen, what to answer, and when to speak."""
