"""``compose.yaml``: every service of the table and the servers behind them, as containers on one machine."""

from collections.abc import Iterator
from importlib import metadata

from interlock_contracts.catalog import OBSERVER
from interlock_contracts.deployment import (
    NAMES,
    S3,
    SERVICES,
    STOP_SECONDS,
    Service,
    address_of,
    model_memory,
)

from interlock_deployment.compose_secrets import IN_FILES, secret_name
from interlock_deployment.compose_servers import HEAD, SERVER_SECRETS, SERVERS, TAIL
from interlock_deployment.credentials import BUCKET, JOB_ROLE, REGION

WEBHOOKS = "INTERLOCK_WEBHOOK_SECRET"
"""Whoever has it sends requests to addresses outside."""

_ROOM = "/var/lib/interlock"
"""Where models that were loaded and files that are worked on stand: on a volume, for they are larger than memory."""


_BY_NAME = {each.name: each for each in SERVICES}


def compose() -> str:
    """Return ``compose.yaml``."""
    services = "\n".join(_service(each) for each in SERVICES)
    volumes = "".join(f"  {each.host}:\n" for each in SERVICES if _has_room(each))
    names = sorted({name for each in SERVICES for name in _secrets(each)} | SERVER_SECRETS)
    secrets = "".join(f"  {name}: {{file: '${{INTERLOCK_SECRETS:-./secrets}}/{name}'}}\n" for name in names)
    mounts = "".join(f"\n      - {each.host}:/volumes/{each.host}" for each in SERVICES if _has_room(each))
    text = f"{HEAD}{SERVERS}\n{services}\n{TAIL}{volumes}\nsecrets:\n{secrets}"
    for mark, filled in {
        "@TAG@": metadata.version("interlock-contracts"),
        "@STOP@": str(STOP_SECONDS),
        "\n      - @MOUNTS@": mounts,
    }.items():
        text = text.replace(mark, filled)
    return text


def _service(service: Service) -> str:
    lines = [
        f"  {service.host}:",
        f"    <<: *{service.image}",
        f"    command: [python, -m, interlock_{service.name}]",
        f"    networks: [{', '.join(_networks(service))}]",
        *_ports(service),
        "    environment:",
        *(f"      {name}: {value}" for name, value in _environment(service)),
        f"    secrets: [{', '.join(_secrets(service))}]",
        "    depends_on:",
        "      setup: {condition: service_completed_successfully}",
    ]
    if _has_room(service):
        lines += ["    volumes:", f"      - {service.host}:{_ROOM}"]
    given = service.resources
    lines += [
        f"    cpu_shares: {round(given.cpu * 1024)}",
        "    deploy:",
        "      resources:",
        f"        limits: {{memory: {given.limit_mb}M}}",
        f"        reservations: {{memory: {given.memory_mb}M}}",
    ]
    return "\n".join(lines) + "\n"


def _networks(service: Service) -> Iterator[str]:
    """Yield the networks that a service is in: with the others, with each server that it uses, and with outside."""
    yield "services"
    yield from (server.name for server in service.uses)
    if service.public or WEBHOOKS in service.settings:
        yield "outside"


def _ports(service: Service) -> Iterator[str]:
    if not service.public:
        return
    yield "    ports:"
    for port, name in ((service.port, service.name), (service.grpc_port, f"{service.name}_grpc")):
        if port is not None:
            yield f'      - "${{INTERLOCK_BIND:-127.0.0.1}}:${{{name.upper()}_PORT:-{port}}}:{port}"'


def _environment(service: Service) -> Iterator[tuple[str, str]]:
    for name in service.settings:
        if name in IN_FILES:
            yield f"{name}_FILE", f"/run/secrets/{secret_name(service.name, name)}"
        else:
            yield name, _value(service, name)
    if service.name != OBSERVER:  # it collects all spans: whoever views traces should not appear in them
        yield "OTEL_EXPORTER_OTLP_ENDPOINT", _url(_BY_NAME[OBSERVER])
        yield "OTEL_EXPORTER_OTLP_HEADERS_FILE", f"/run/secrets/{service.name}_otlp_headers"
    if _has_room(service):
        yield "INTERLOCK_CACHE_DIR", f"{_ROOM}/models"
        yield "TMPDIR", _ROOM
    for name, value in model_memory(service).items():
        yield name, f'"{value}"'


def _value(service: Service, name: str) -> str:
    values = {
        "INTERLOCK_HOST": "0.0.0.0",  # noqa: S104 - within the container's own networks
        "INTERLOCK_PORT": f'"{service.port}"',
        "INTERLOCK_GRPC_PORT": f'"{service.grpc_port}"',
        "INTERLOCK_S3_ENDPOINT": "http://s3:8333",
        "INTERLOCK_S3_BUCKET": BUCKET,
        "INTERLOCK_S3_REGION": REGION,
        "INTERLOCK_S3_JOB_ROLE": JOB_ROLE,
        "INTERLOCK_S3_STS_ENDPOINT": '""',
        "INTERLOCK_RAY_ADDRESS": "http://ray-head:8265",
        "INTERLOCK_TRAINER_PYTHON": "/opt/interlock/bin/python",
    } | {address_of(other): _url(_BY_NAME[other]) for other in NAMES}
    if name == "INTERLOCK_CONSOLE_URL":  # to itself: where people's browsers find it
        return f"${{{name}:-http://127.0.0.1:{service.port}}}"
    return values[name]


def _secrets(service: Service) -> Iterator[str]:
    yield from (secret_name(service.name, name) for name in service.settings if name in IN_FILES)
    if service.name != OBSERVER:
        yield f"{service.name}_otlp_headers"


def _url(service: Service) -> str:
    return f"http://{service.host}:{service.port}"


def _has_room(service: Service) -> bool:
    """Return whether a service works on files: it uses the object store, and has what reads models and tables."""
    return S3 in service.uses and service.image == "model"
