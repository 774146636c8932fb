"""Measures what would be served against thresholds and against what serves now."""
