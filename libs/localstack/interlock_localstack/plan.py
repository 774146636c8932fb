"""The plan of a stack: its components, given the settings of the user and the ports."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from interlock_contracts import deployment
from interlock_contracts.deployment import POSTGRES, RAY, address_of, services_using
from interlock_contracts.permissions import VHOST, user_of
from interlock_deployment.credentials import (
    BROKER_ADMIN,
    BROKER_USERS,
    BUCKET,
    OPERATOR,
    PREFIXES,
    REGION,
    STORE_ADMIN,
)
from interlock_deployment.credentials import JOB_ROLE as STORE_JOB_ROLE

from interlock_localstack import postgres, rabbitmq, ray_head, s3
from interlock_localstack.component import Component, Probe, Process
from interlock_localstack.environment import given_settings, without_own
from interlock_localstack.errors import StackError
from interlock_localstack.keys import access_settings
from interlock_localstack.services import services
from interlock_localstack.signing import signing_settings
from interlock_localstack.state_dir import StateDir

SERVERS = tuple(each.name for each in deployment.SERVERS)
SERVICES = deployment.NAMES
NAMES = (*SERVERS, *SERVICES)
GROUPS = {"servers": SERVERS, "services": SERVICES}
ADMIN = "INTERLOCK_ADMIN_"
"""Prefix of the administrator's settings, which no service gets."""
SERVICE_ONLY = "__"
"""Separator in the name of a setting that only one service gets."""
S3_SETTINGS = ("INTERLOCK_S3_ACCESS_KEY", "INTERLOCK_S3_SECRET_KEY")
JOB_ROLE = "INTERLOCK_S3_JOB_ROLE"


def plan(state_dir: StateDir, ports: Mapping[str, int]) -> dict[str, Component]:
    """Return every component by name, in the order of display.

    Raises:
        StackError: the user's settings contradict each other, or a server's programs are missing.
    """
    given = without_own(given_settings(), state_dir.read("environment") or {})
    store = _s3(state_dir, ports, given)
    servers = {
        "rabbitmq": _rabbitmq(state_dir, ports, given),
        "postgres": _postgres(state_dir, ports, given),
        "s3": store,
        "ray": _ray(state_dir, ports, given, store),
    }
    shared = shared_settings(state_dir)
    ours = {name for component in servers.values() for name in component.exports}
    addresses = {address_of(name) for name in SERVICES} | {
        "INTERLOCK_HOST",
        "INTERLOCK_PORT",
        "INTERLOCK_GRPC_PORT",
        "INTERLOCK_GRPC_URL",
    }
    others = {
        name: value
        for name, value in given.items()
        if name not in ours | addresses | {"INTERLOCK_API_KEY"} and not name.startswith(ADMIN)
    }
    signed = signing_settings(state_dir, given)
    own = {name: access_settings(state_dir, name) | signed[name] | _service_only(name, others) for name in SERVICES}
    components = services(
        ports, servers, {name: others[name] for name in others if SERVICE_ONLY not in name} | shared, own
    )
    return servers | {component.name: component for component in components}


def shared_settings(state_dir: StateDir) -> dict[str, str]:
    """Return the settings that clients and all services share; none is secret."""
    given = given_settings()
    return {
        "INTERLOCK_SPANS_DIR": given.get("INTERLOCK_SPANS_DIR", str(state_dir.spans)),
        "INTERLOCK_CACHE_DIR": given.get("INTERLOCK_CACHE_DIR", str(state_dir.data / "models")),
    }


def _service_only(service: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the settings for one service only: ``INTERLOCK_REGISTRY__AMQP_URL`` is the registry's own broker user."""
    mark = f"INTERLOCK_{service.upper()}{SERVICE_ONLY}"
    return {f"INTERLOCK_{name.removeprefix(mark)}": value for name, value in given.items() if name.startswith(mark)}


def select(only: str | None) -> list[str]:
    """Return the component names that ``--only`` selects: components and groups, separated by commas.

    Raises:
        StackError: a name is unknown.
    """
    if only is None:
        return list(NAMES)
    wanted = {name for word in only.split(",") for name in GROUPS.get(word.strip(), (word.strip(),))}
    if unknown := wanted - set(NAMES):
        raise StackError(
            f"there is no component {', '.join(sorted(unknown))}", hint=f"components: {', '.join((*GROUPS, *NAMES))}"
        )
    return [name for name in NAMES if name in wanted]


def _server(
    name: str,
    probe: Probe,
    exports: Mapping[str, str],
    process: Process | None,
    also: tuple[int, ...] = (),
    **more: Any,
) -> Component:
    address = urlsplit(probe.url)
    shown = urlunsplit((address.scheme, address.netloc.rpartition("@")[2], address.path, "", ""))
    listens = (address.port, *also) if process is not None and address.port else ()
    return Component(
        name=name, kind="server", url=shown, probe=probe, exports=exports, process=process, listens=listens, **more
    )


def _rabbitmq(state_dir: StateDir, ports: Mapping[str, int], given: Mapping[str, str]) -> Component:
    if (url := given.get("INTERLOCK_AMQP_URL")) is not None:
        exports = {"INTERLOCK_AMQP_URL": url}
        return _server("rabbitmq", Probe("amqp", url), exports, None, finish=partial(rabbitmq.make_topology, url))
    passwords = {user: state_dir.secret(f"rabbitmq_{user}") for user in BROKER_USERS}
    urls = {
        user: {"INTERLOCK_AMQP_URL": f"amqp://{user}:{password}@127.0.0.1:{ports['amqp']}/{VHOST}"}
        for user, password in passwords.items()
    }
    admin = urls[BROKER_ADMIN]["INTERLOCK_AMQP_URL"]
    operator = urls[user_of("operator")]
    return _server(
        "rabbitmq",
        Probe("amqp", operator["INTERLOCK_AMQP_URL"]),
        operator,
        rabbitmq.process(state_dir, ports, passwords),
        own={name: urls[user_of(name)] for name in SERVICES},
        admin={"INTERLOCK_ADMIN_AMQP_URL": admin},
        finish=partial(rabbitmq.make_topology, admin),
    )


def _postgres(state_dir: StateDir, ports: Mapping[str, int], given: Mapping[str, str]) -> Component:
    if (url := given.get("INTERLOCK_POSTGRES_URL")) is not None:
        return _server("postgres", Probe("postgres", url), {"INTERLOCK_POSTGRES_URL": url}, None)
    address = f"127.0.0.1:{ports['postgres']}/{postgres.DATABASE}"
    password = state_dir.secret("postgres")
    admin = f"postgresql://{postgres.USER}:{password}@{address}"
    passwords = {name: state_dir.secret(f"postgres_{name}") for name in services_using(POSTGRES)}
    own = {
        name: {"INTERLOCK_POSTGRES_URL": f"postgresql://{user_of(name)}:{secret}@{address}"}
        for name, secret in passwords.items()
    }
    return _server(
        "postgres",
        Probe("postgres", admin),
        {},
        postgres.process(state_dir, ports, password),
        own=own,
        admin={"INTERLOCK_ADMIN_POSTGRES_URL": admin},
        finish=partial(postgres.make_roles, admin, passwords),
    )


def _s3(state_dir: StateDir, ports: Mapping[str, int], given: Mapping[str, str]) -> Component:
    if (endpoint := given.get("INTERLOCK_S3_ENDPOINT")) is not None:
        bucket, region = given.get("INTERLOCK_S3_BUCKET", BUCKET), given.get("INTERLOCK_S3_REGION", REGION)
        if missing := [name for name in S3_SETTINGS if name not in given]:
            raise StackError(f"INTERLOCK_S3_ENDPOINT is set, but not {' and '.join(missing)}")
        exports = {name: given[name] for name in S3_SETTINGS}
        exports |= {"INTERLOCK_S3_ENDPOINT": endpoint, "INTERLOCK_S3_BUCKET": bucket, "INTERLOCK_S3_REGION": region}
        exports |= {name: given[name] for name in (JOB_ROLE, "INTERLOCK_S3_STS_ENDPOINT") if name in given}
        return _server("s3", Probe("s3", f"{endpoint}/{bucket}"), exports, None)
    endpoint = f"http://127.0.0.1:{ports['s3']}"
    where = {"INTERLOCK_S3_ENDPOINT": endpoint, "INTERLOCK_S3_BUCKET": BUCKET, "INTERLOCK_S3_REGION": REGION}
    keys = {
        name: (state_dir.secret(f"s3_access_{name}", 10), state_dir.secret(f"s3_secret_{name}"))
        for name in (STORE_ADMIN, *PREFIXES)
    }
    named = {name: dict(zip(S3_SETTINGS, pair, strict=True)) for name, pair in keys.items()}
    for name in services_using(RAY):
        named[name][JOB_ROLE] = STORE_JOB_ROLE
    return _server(
        "s3",
        Probe("s3", f"{endpoint}/{BUCKET}"),
        where | named[OPERATOR],
        s3.process(state_dir, ports, keys),
        own=named,
        admin={name.replace("INTERLOCK_", ADMIN): value for name, value in named[STORE_ADMIN].items()},
    )


def _ray(state_dir: StateDir, ports: Mapping[str, int], given: Mapping[str, str], store: Component) -> Component:
    address, token, process = given.get("INTERLOCK_RAY_ADDRESS"), given.get("INTERLOCK_RAY_TOKEN"), None
    if address is None:
        token = state_dir.secret("ray_token", 32)
        address = f"http://127.0.0.1:{ports['ray']}"
        has_job_role = any(JOB_ROLE in store.settings(name) for name in services_using(RAY))
        trainers = {
            **({} if has_job_role else store.exports),
            "INTERLOCK_SPANS_DIR": shared_settings(state_dir)["INTERLOCK_SPANS_DIR"],
        }
        process = ray_head.process(state_dir, ports, trainers)
    exports = {"INTERLOCK_RAY_ADDRESS": address, **({"INTERLOCK_RAY_TOKEN": token} if token else {})}
    exports["INTERLOCK_TRAINER_PYTHON"] = given.get("INTERLOCK_TRAINER_PYTHON", ray_head.python(state_dir))
    return _server("ray", Probe("ray", address, token), exports, process, also=(ports["ray_client"],))
