"""Keeps pipelines, models, versions and who serves; promotes what the gate let through."""
