"""What `start.py` does, with the standard library only: set up `.venv`, start the core, wait."""
