"""The services as components, each a process of its own."""

import hashlib
import importlib.util
import re
import sys
from collections.abc import Mapping
from importlib.metadata import requires
from pathlib import Path
from urllib.parse import quote

from interlock_contracts.catalog import OBSERVER
from interlock_contracts.deployment import SECRETS, SERVICES, STOP_SECONDS, Service, address_of

from interlock_localstack.bytecode import ensure_compiled
from interlock_localstack.component import Component, Probe, Process
from interlock_localstack.environment import base_environment

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

PACKAGE = re.compile(r"interlock-[a-z-]+")


def services(
    ports: Mapping[str, int],
    servers: Mapping[str, Component],
    shared: Mapping[str, str],
    own: Mapping[str, Mapping[str, str]],
) -> list[Component]:
    """Return the services' components; ``shared`` are the settings that each of them gets, ``own`` those of one.

    Whatever is among them, none gets a secret of others.
    """
    return [_component(each, ports, _environment(each, ports, servers, shared, own[each.name])) for each in SERVICES]


def _environment(
    service: Service,
    ports: Mapping[str, int],
    servers: Mapping[str, Component],
    shared: Mapping[str, str],
    own: Mapping[str, str],
) -> dict[str, str]:
    env = base_environment() | dict(shared)
    env |= {address_of(name): _url(name, ports) for name in (service.name, *service.calls)}
    for server in service.uses:
        env |= servers[server.name].settings(service.name)
    env |= own
    if service.name != OBSERVER:  # it collects all spans: whoever views traces should not appear in them
        env |= _tracing_settings(_url(OBSERVER, ports), env)
    env |= {"INTERLOCK_HOST": "127.0.0.1", "INTERLOCK_PORT": str(ports[service.name])}
    if service.grpc_port is not None:
        env["INTERLOCK_GRPC_PORT"] = str(ports["grpc"])
    # Not read by the service: it makes `interlock up` restart a service whose code has changed.
    env["INTERLOCK_CODE"] = _code_digest(service)
    secrets_of_others = SECRETS.difference(service.settings)
    return {name: value for name, value in env.items() if name not in secrets_of_others}


def _component(service: Service, ports: Mapping[str, int], env: Mapping[str, str]) -> Component:
    url = _url(service.name, ports)
    exports, listens = {service.address: url}, [ports[service.name]]
    if service.grpc_port is not None:
        listens.append(ports["grpc"])
        exports["INTERLOCK_GRPC_URL"] = f"127.0.0.1:{ports['grpc']}"  # gRPC's clients take no scheme
    argv = (sys.executable, "-m", f"interlock_{service.name}")
    return Component(
        name=service.name,
        kind="service",
        url=url,
        probe=Probe("service", url),
        exports=exports,
        process=Process(argv=argv, env=env, prepare=ensure_compiled, stop_seconds=STOP_SECONDS),
        after=service.starts_after,
        listens=tuple(listens),
    )


def _tracing_settings(console: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return the OpenTelemetry variables that export spans to the console, unless the user has set others."""
    if any(name in env for name in ENDPOINTS):
        return {}
    key = quote(f"Bearer {env['INTERLOCK_SERVICE_KEY']}")
    return {ENDPOINTS[0]: console, "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={key}"}


def _url(service: str, ports: Mapping[str, int]) -> str:
    return f"http://127.0.0.1:{ports[service]}"


def _code_digest(service: Service) -> str:
    digest = hashlib.sha256()
    for package in sorted(_packages(f"interlock-{service.name.replace('_', '-')}")):
        spec = importlib.util.find_spec(package.replace("-", "_"))
        for folder in (spec.submodule_search_locations or []) if spec else []:
            for file in sorted(Path(folder).rglob("*.py")):
                digest.update(f"{file} {file.stat().st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _packages(package: str) -> set[str]:
    """Return a package of ours and all of ours that it depends on."""
    found, waiting = {package}, [package]
    while waiting:
        named = {each[0] for line in requires(waiting.pop()) or () if (each := PACKAGE.match(line))}
        waiting += named - found
        found |= named
    return found
