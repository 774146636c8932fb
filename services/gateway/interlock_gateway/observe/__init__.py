"""Observability of a worker: metrics, sampled spans, output statistics and the prediction log."""
