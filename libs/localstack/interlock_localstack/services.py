"""The services as components, each a process of its own."""

import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from interlock_localstack.bytecode import ensure_compiled
from interlock_localstack.component import Component, Probe, Process
from interlock_localstack.environment import base_environment

LIBRARIES = (
    "interlock_contracts",
    "interlock_runtime",
    "interlock_messaging",
    "interlock_artifacts",
    "interlock_modeling",
    "interlock_serving",
    "interlock_tables",
    "interlock_scoring",
)


@dataclass(frozen=True)
class Service:
    """A service and the servers that it uses; those in ``starts_after`` must be healthy before it starts."""

    name: str
    uses: tuple[str, ...]
    starts_after: tuple[str, ...]

    @property
    def address(self) -> str:
        """Return the setting that holds its URL."""
        return _address(self.name)


def _address(service: str) -> str:
    return f"INTERLOCK_{service.upper()}_URL"


CONSOLE = "console"
"""Collects all spans and exports none of its own: whoever views traces should not appear in them."""

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
DURABLE = ("rabbitmq", "postgres", "s3")
SERVICES = (
    Service("ingest", uses=DURABLE, starts_after=DURABLE),
    Service("train_dispatch", uses=(*DURABLE, "ray"), starts_after=DURABLE),
    Service("registry", uses=DURABLE, starts_after=DURABLE),
    Service("evaluation_gate", uses=("rabbitmq", "s3"), starts_after=("rabbitmq", "s3")),
    Service("prediction", uses=(*DURABLE, "ray"), starts_after=DURABLE),
    Service("gateway", uses=("rabbitmq", "s3"), starts_after=("rabbitmq", "s3")),
    Service("console", uses=("rabbitmq", "postgres"), starts_after=("rabbitmq", "postgres")),
)


def services(
    ports: Mapping[str, int],
    servers: Mapping[str, Component],
    shared: Mapping[str, str],
    own: Mapping[str, Mapping[str, str]],
) -> list[Component]:
    """Return the services' components; ``shared`` are the settings that each of them gets, ``own`` those of one."""
    addresses = {each.address: _url(each, ports) for each in SERVICES}
    return [_component(each, ports, servers, {**shared, **addresses}, own[each.name]) for each in SERVICES]


def _component(
    service: Service,
    ports: Mapping[str, int],
    servers: Mapping[str, Component],
    shared: Mapping[str, str],
    own: Mapping[str, str],
) -> Component:
    url = _url(service, ports)
    env = base_environment() | dict(shared)
    for name in service.uses:
        env |= servers[name].settings(service.name)
    env |= own
    if service.name != CONSOLE:
        env |= _tracing_settings(shared[_address(CONSOLE)], own, env)
    env |= {"INTERLOCK_HOST": "127.0.0.1", "INTERLOCK_PORT": str(ports[service.name])}
    exports, listens = {service.address: url}, [ports[service.name]]
    if service.name == "gateway":
        listens.append(ports["grpc"])
        env["INTERLOCK_GRPC_PORT"] = str(ports["grpc"])
        exports["INTERLOCK_GRPC_URL"] = f"127.0.0.1:{ports['grpc']}"  # gRPC's clients take no scheme
    # Not read by the service: it makes `interlock up` restart a service whose code has changed.
    env["INTERLOCK_CODE"] = _code_digest(service)
    return Component(
        name=service.name,
        kind="service",
        url=url,
        probe=Probe("service", url),
        exports=exports,
        process=Process(argv=(sys.executable, "-m", f"interlock_{service.name}"), env=env, prepare=ensure_compiled),
        after=service.starts_after,
        listens=tuple(listens),
    )


def _tracing_settings(console: str, own: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Return the OpenTelemetry variables that export spans to the console, unless the user has set others."""
    if any(name in env for name in ENDPOINTS):
        return {}
    key = quote(f"Bearer {own['INTERLOCK_SERVICE_KEY']}")
    return {ENDPOINTS[0]: console, "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={key}"}


def _url(service: Service, ports: Mapping[str, int]) -> str:
    return f"http://127.0.0.1:{ports[service.name]}"


def _code_digest(service: Service) -> str:
    digest = hashlib.sha256()
    for package in (*LIBRARIES, f"interlock_{service.name}"):
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            for file in sorted(Path(folder).rglob("*.py")):
                digest.update(f"{file} {file.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
