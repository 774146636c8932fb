"""Answers predictions that nobody waits for: asynchronous and batch, kept, told by webhook and event."""
