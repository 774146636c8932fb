"""How long the gate takes on many held-out rows, and how much memory; see ``__main__``."""
