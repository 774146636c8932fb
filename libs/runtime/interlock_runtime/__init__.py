"""Settings, telemetry, database and process of every service."""
