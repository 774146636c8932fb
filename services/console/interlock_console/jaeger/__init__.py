"""Jaeger's query API for Jaeger's UI and Grafana: version 3, and version 1, which Grafana still uses."""
