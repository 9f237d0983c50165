"""Text to speech: voices."""
