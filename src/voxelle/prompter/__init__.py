"""What the language model is shown."""
