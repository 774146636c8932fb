"""Asynchronous predictions, batch scoring, and live quality; results by polling, SSE, webhook and event."""
