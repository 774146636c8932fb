"""Asynchronous predictions and batch scoring; results by polling, SSE, webhook and event."""
