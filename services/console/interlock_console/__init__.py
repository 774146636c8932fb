"""Web console: a read model (projection) of all events, runs as timelines, a trace store, and the pages."""
