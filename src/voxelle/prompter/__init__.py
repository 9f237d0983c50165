"""What the language model is shown: instructions, character, scene, people and history."""
