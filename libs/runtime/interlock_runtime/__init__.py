"""What every service process needs: settings, telemetry, database, process."""
