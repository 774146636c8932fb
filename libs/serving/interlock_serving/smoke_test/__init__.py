"""Smoke test: a model is loaded in a child process first, where a crash or a hang harms no worker."""
