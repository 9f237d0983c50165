"""The offline mind: talks pleasantly without any model, and says that it is a demo."""
