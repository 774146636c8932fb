"""Everything that crosses a process: events, pipeline files, catalog, HTTP bodies, telemetry names."""
