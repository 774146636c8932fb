"""Jaeger's query API, which Jaeger's own page and Grafana ask: version 3, and version 1, which Grafana still speaks."""
