"""The services, each a process of its own."""

import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from interlock_cli.stack.bytecode import ensure_compiled
from interlock_cli.stack.environs import plain_environment
from interlock_cli.stack.part import Part, Probe, Process

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
    """A service and the servers that it uses; those in ``starts_after`` must work before it can start."""

    name: str
    uses: tuple[str, ...]
    starts_after: tuple[str, ...]

    @property
    def address(self) -> str:
        """Return the setting that tells others where it listens."""
        return _address(self.name)


def _address(service: str) -> str:
    return f"INTERLOCK_{service.upper()}_URL"


CONSOLE = "console"
"""Takes everyone's spans, and makes none of its own: who looks at traces should not stand in them."""

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
    servers: Mapping[str, Part],
    shared: Mapping[str, str],
    own: Mapping[str, Mapping[str, str]],
) -> list[Part]:
    """Return the services' parts; ``shared`` are the settings that each of them gets, ``own`` those of one."""
    addresses = {each.address: _url(each, ports) for each in SERVICES}
    return [_part(each, ports, servers, {**shared, **addresses}, own[each.name]) for each in SERVICES]


def _part(
    service: Service,
    ports: Mapping[str, int],
    servers: Mapping[str, Part],
    shared: Mapping[str, str],
    own: Mapping[str, str],
) -> Part:
    url = _url(service, ports)
    env = plain_environment() | dict(shared)
    for name in service.uses:
        env |= servers[name].settings(service.name)
    env |= own
    if service.name != CONSOLE:
        env |= _spans_to(shared[_address(CONSOLE)], own, env)
    env |= {"INTERLOCK_HOST": "127.0.0.1", "INTERLOCK_PORT": str(ports[service.name])}
    exports, listens = {service.address: url}, [ports[service.name]]
    if service.name == "gateway":
        listens.append(ports["grpc"])
        env["INTERLOCK_GRPC_PORT"] = str(ports["grpc"])
        exports["INTERLOCK_GRPC_URL"] = f"127.0.0.1:{ports['grpc']}"  # gRPC's clients take no scheme
    # Not read by anyone: it makes `interlock up` restart a service whose code has been edited.
    env["INTERLOCK_CODE"] = _code(service)
    return Part(
        name=service.name,
        kind="service",
        url=url,
        probe=Probe("service", url),
        exports=exports,
        process=Process(argv=(sys.executable, "-m", f"interlock_{service.name}"), env=env, prepare=ensure_compiled),
        after=service.starts_after,
        listens=tuple(listens),
    )


def _spans_to(console: str, own: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Return the standard's variables that lead a service's spans to the console, unless the user's lead elsewhere."""
    if any(name in env for name in ENDPOINTS):
        return {}
    key = quote(f"Bearer {own['INTERLOCK_SERVICE_KEY']}")
    return {ENDPOINTS[0]: console, "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={key}"}


def _url(service: Service, ports: Mapping[str, int]) -> str:
    return f"http://127.0.0.1:{ports[service.name]}"


def _code(service: Service) -> str:
    digest = hashlib.sha256()
    for package in (*LIBRARIES, f"interlock_{service.name}"):
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            for file in sorted(Path(folder).rglob("*.py")):
                digest.update(f"{file} {file.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
