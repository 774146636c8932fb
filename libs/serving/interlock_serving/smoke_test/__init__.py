"""Smoke test: a model is tried in a child process first; what crashes, hangs or eats memory there harms nobody."""
