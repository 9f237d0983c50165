"""Text to text: language models."""
