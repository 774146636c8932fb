"""``compose/machines``: what the playbook is told of the services, from the table of the deployment."""

from collections.abc import Iterator

from interlock_contracts.catalog import OBSERVER
from interlock_contracts.deployment import SERVICES, STOP_SECONDS, Service, model_memory

from interlock_deployment.compose_secrets import IN_FILES, secret_name

PORTS = {
    "gateway": 8000,
    "ingest": 8010,
    "train_dispatch": 8011,
    "registry": 8012,
    "evaluation_gate": 8013,
    "prediction": 8014,
    "monitor": 8015,
    "console": 8080,
}
"""Where each service listens on its machine: several share one. A service keeps its number over releases."""

_HEAD = """\
# Made from `contracts/interlock_contracts/deployment.py` by `make contracts`; do not edit.
# Each service: its unit, its environment below /opt/interlock, where it listens, the most memory that it may take, its
# share of the processors, which settings it reads, those that have a value (`given`), the file of each that is secret.
"""


def variables() -> str:
    """Return ``group_vars/all/deployment.yml``."""
    return f"---\n{_HEAD}interlock_stop_seconds: {STOP_SECONDS}\ninterlock_services:\n{''.join(map(_row, SERVICES))}"


def _row(service: Service) -> str:
    settings = [name for name in service.settings if name not in IN_FILES]
    lines = [
        f"  - name: {service.name}",
        f"    unit: interlock-{service.host}",
        f"    environment: {service.image}",
        f"    port: {PORTS[service.name]}",
        *([f"    grpc_port: {service.grpc_port}"] if service.grpc_port is not None else []),
        f"    memory_mb: {service.resources.limit_mb}",
        f"    cpu_weight: {max(1, round(service.resources.cpu * 100))}",
        "    settings:",
        *(f"      - {name}" for name in settings),
        "    given:" if model_memory(service) else "    given: {}",
        *(f'      {name}: "{value}"' for name, value in model_memory(service).items()),
        "    secrets:",
        *(f"      {name}: {file}" for name, file in _secrets(service)),
    ]
    return "\n".join(lines) + "\n"


def _secrets(service: Service) -> Iterator[tuple[str, str]]:
    """Yield the settings that come as files, and each one's file; the key for spans is the service's own."""
    for name in service.settings:
        if name in IN_FILES:
            yield name, secret_name(service.name, name)
    if service.name != OBSERVER:
        yield "OTEL_EXPORTER_OTLP_HEADERS", f"{service.name}_otlp_headers"
