"""Effects between the voice and the audience."""
