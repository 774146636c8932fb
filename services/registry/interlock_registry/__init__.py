"""Keeps pipelines, models, versions and champions; promotes what passed the gate."""
