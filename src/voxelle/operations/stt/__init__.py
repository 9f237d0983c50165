"""Speech to text: ears."""
