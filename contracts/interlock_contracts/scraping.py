"""Configuration of Prometheus: every service of the deployment is scraped, under the name that its traces have."""

from interlock_contracts.deployment import SERVICES

HEAD = """\
# Made from `contracts/interlock_contracts/deployment.py` by `make contracts`; do not edit.
# Scrapes every service at its host name; whoever runs them elsewhere copies this file and changes the targets only.
# The key has the scope `read`: `interlock keys create prometheus --scope read`.
global:
  scrape_interval: 15s
  evaluation_interval: 15s

rule_files: [alerts.yml]

alerting:
  alertmanagers:
    - static_configs:
        - targets: ["alertmanager:9093"]

scrape_configs:
  - job_name: interlock
    authorization:
      credentials_file: /run/secrets/interlock_metrics_key
    static_configs:  # `job` and `service.name` of the traces are the same
"""


def prometheus() -> str:
    """Return ``prometheus.yml``."""
    targets = [
        f'      - {{targets: ["{each.host}:{each.port}"], labels: {{job: interlock-{each.name}}}}}\n'
        for each in SERVICES
    ]
    return HEAD + "".join(targets)
