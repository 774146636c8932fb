"""Reads one file in a process of its own and says whether it keeps the rules of its pipeline."""
