"""Answers a file of any size part by part; ``python -m interlock_scoring`` is the program that does it."""

from interlock_scoring.scoring import score

__all__ = ["score"]
