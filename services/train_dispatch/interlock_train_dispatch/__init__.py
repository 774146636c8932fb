"""Turns causes into training runs on Ray, and follows each run to its end."""
