"""What the stack of one state folder consists of, given what the user has brought along."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from interlock_contracts.rights import VHOST, user_of

from interlock_cli.stack import postgres, rabbitmq, ray_head, s3
from interlock_cli.stack.environs import given_settings, without_ours
from interlock_cli.stack.home import Home
from interlock_cli.stack.keys import door_keys
from interlock_cli.stack.part import Part, Probe, Process
from interlock_cli.stack.services import SERVICES, services
from interlock_cli.stack.signing import PRIVATE, signing
from interlock_cli.terminal import Failure

SERVERS = ("rabbitmq", "postgres", "s3", "ray")
NAMES = (*SERVERS, *(each.name for each in SERVICES))
GROUPS = {"servers": SERVERS, "services": tuple(each.name for each in SERVICES)}
ADMIN = "INTERLOCK_ADMIN_"
"""Begins the names of an administrator's addresses, which no service gets."""
ALONE = "__"
"""Stands in the name of a setting that one service alone gets."""
S3_SETTINGS = ("INTERLOCK_S3_ACCESS_KEY", "INTERLOCK_S3_SECRET_KEY")
JOB_ROLE = "INTERLOCK_S3_JOB_ROLE"


def plan(home: Home, ports: Mapping[str, int]) -> dict[str, Part]:
    """Return every part by name, in the order people read them.

    Raises:
        Failure: settings that the user gave do not fit together, or a server's programs are missing.
    """
    given = without_ours(given_settings(), home.read("environment") or {})
    store = _s3(home, ports, given)
    servers = {
        "rabbitmq": _rabbitmq(home, ports, given),
        "postgres": _postgres(home, ports, given),
        "s3": store,
        "ray": _ray(home, ports, given, store),
    }
    shared = common(home)
    ours = {name for part in servers.values() for name in part.exports}
    addresses = {each.address for each in SERVICES} | {
        "INTERLOCK_HOST",
        "INTERLOCK_PORT",
        "INTERLOCK_GRPC_PORT",
        "INTERLOCK_GRPC_URL",
    }
    private = {"INTERLOCK_API_KEY", PRIVATE}
    others = {
        name: value
        for name, value in given.items()
        if name not in ours | addresses | private and not name.startswith(ADMIN)
    }
    names, signed = [each.name for each in SERVICES], signing(home, given)
    own = {name: door_keys(home, name, names) | signed.get(name, {}) | _alone(name, others) for name in names}
    parts = services(ports, servers, {name: others[name] for name in others if ALONE not in name} | shared, own)
    return servers | {part.name: part for part in parts}


def common(home: Home) -> dict[str, str]:
    """Return the settings that clients and every service share; no key is among them."""
    given = given_settings()
    return {
        "INTERLOCK_SPANS_DIR": given.get("INTERLOCK_SPANS_DIR", str(home.spans)),
        "INTERLOCK_CACHE_DIR": given.get("INTERLOCK_CACHE_DIR", str(home.data / "models")),
    }


def _alone(service: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return what one service alone is given: ``INTERLOCK_REGISTRY__AMQP_URL`` is the registry's own broker user."""
    mark = f"INTERLOCK_{service.upper()}{ALONE}"
    return {f"INTERLOCK_{name.removeprefix(mark)}": value for name, value in given.items() if name.startswith(mark)}


def chosen(only: str | None) -> list[str]:
    """Return the names that ``--only`` means: parts and groups, separated by commas.

    Raises:
        Failure: there is no such part.
    """
    if only is None:
        return list(NAMES)
    wanted = {name for word in only.split(",") for name in GROUPS.get(word.strip(), (word.strip(),))}
    if unknown := wanted - set(NAMES):
        raise Failure(f"there is no part {', '.join(sorted(unknown))}", hint=f"parts: {', '.join((*GROUPS, *NAMES))}")
    return [name for name in NAMES if name in wanted]


def _server(
    name: str,
    probe: Probe,
    exports: Mapping[str, str],
    process: Process | None,
    also: tuple[int, ...] = (),
    **more: Any,
) -> Part:
    address = urlsplit(probe.url)
    shown = urlunsplit((address.scheme, address.netloc.rpartition("@")[2], address.path, "", ""))
    listens = (address.port, *also) if process is not None and address.port else ()
    return Part(
        name=name, kind="server", url=shown, probe=probe, exports=exports, process=process, listens=listens, **more
    )


def _rabbitmq(home: Home, ports: Mapping[str, int], given: Mapping[str, str]) -> Part:
    if (url := given.get("INTERLOCK_AMQP_URL")) is not None:
        exports = {"INTERLOCK_AMQP_URL": url}
        return _server("rabbitmq", Probe("amqp", url), exports, None, finish=partial(rabbitmq.make_topology, url))
    passwords = {user: home.secret(f"rabbitmq_{user}") for user in rabbitmq.USERS}
    urls = {
        user: {"INTERLOCK_AMQP_URL": f"amqp://{user}:{password}@127.0.0.1:{ports['amqp']}/{VHOST}"}
        for user, password in passwords.items()
    }
    admin = urls[rabbitmq.ADMIN]["INTERLOCK_AMQP_URL"]
    operator = urls[user_of("operator")]
    return _server(
        "rabbitmq",
        Probe("amqp", operator["INTERLOCK_AMQP_URL"]),
        operator,
        rabbitmq.process(home, ports, passwords),
        own={each.name: urls[user_of(each.name)] for each in SERVICES},
        admin={"INTERLOCK_ADMIN_AMQP_URL": admin},
        finish=partial(rabbitmq.make_topology, admin),
    )


def _postgres(home: Home, ports: Mapping[str, int], given: Mapping[str, str]) -> Part:
    if (url := given.get("INTERLOCK_POSTGRES_URL")) is not None:
        return _server("postgres", Probe("postgres", url), {"INTERLOCK_POSTGRES_URL": url}, None)
    address = f"127.0.0.1:{ports['postgres']}/{postgres.DATABASE}"
    password = home.secret("postgres")
    admin = f"postgresql://{postgres.USER}:{password}@{address}"
    passwords = {each.name: home.secret(f"postgres_{each.name}") for each in SERVICES if "postgres" in each.uses}
    own = {
        name: {"INTERLOCK_POSTGRES_URL": f"postgresql://{user_of(name)}:{secret}@{address}"}
        for name, secret in passwords.items()
    }
    return _server(
        "postgres",
        Probe("postgres", admin),
        {},
        postgres.process(home, ports, password),
        own=own,
        admin={"INTERLOCK_ADMIN_POSTGRES_URL": admin},
        finish=partial(postgres.make_roles, admin, passwords),
    )


def _s3(home: Home, ports: Mapping[str, int], given: Mapping[str, str]) -> Part:
    if (endpoint := given.get("INTERLOCK_S3_ENDPOINT")) is not None:
        bucket, region = given.get("INTERLOCK_S3_BUCKET", s3.BUCKET), given.get("INTERLOCK_S3_REGION", s3.REGION)
        if missing := [name for name in S3_SETTINGS if name not in given]:
            raise Failure(f"INTERLOCK_S3_ENDPOINT is set, but not {' and '.join(missing)}")
        exports = {name: given[name] for name in S3_SETTINGS}
        exports |= {"INTERLOCK_S3_ENDPOINT": endpoint, "INTERLOCK_S3_BUCKET": bucket, "INTERLOCK_S3_REGION": region}
        exports |= {name: given[name] for name in (JOB_ROLE, "INTERLOCK_S3_STS_ENDPOINT") if name in given}
        return _server("s3", Probe("s3", f"{endpoint}/{bucket}"), exports, None)
    endpoint = f"http://127.0.0.1:{ports['s3']}"
    where = {"INTERLOCK_S3_ENDPOINT": endpoint, "INTERLOCK_S3_BUCKET": s3.BUCKET, "INTERLOCK_S3_REGION": s3.REGION}
    keys = {
        name: (home.secret(f"s3_access_{name}", 10), home.secret(f"s3_secret_{name}")) for name in (s3.ADMIN, *s3.READ)
    }
    named = {name: dict(zip(S3_SETTINGS, pair, strict=True)) for name, pair in keys.items()}
    for name in s3.LENDERS:
        named[name][JOB_ROLE] = s3.JOBS
    return _server(
        "s3",
        Probe("s3", f"{endpoint}/{s3.BUCKET}"),
        where | named[s3.PEOPLE],
        s3.process(home, ports, keys),
        own=named,
        admin={name.replace("INTERLOCK_", ADMIN): value for name, value in named[s3.ADMIN].items()},
    )


def _ray(home: Home, ports: Mapping[str, int], given: Mapping[str, str], store: Part) -> Part:
    address, token, process = given.get("INTERLOCK_RAY_ADDRESS"), given.get("INTERLOCK_RAY_TOKEN"), None
    if address is None:
        token = home.secret("ray_token", 32)
        address = f"http://127.0.0.1:{ports['ray']}"
        lent = any(JOB_ROLE in store.settings(name) for name in s3.LENDERS)
        trainers = {**({} if lent else store.exports), "INTERLOCK_SPANS_DIR": common(home)["INTERLOCK_SPANS_DIR"]}
        process = ray_head.process(home, ports, trainers)
    exports = {"INTERLOCK_RAY_ADDRESS": address, **({"INTERLOCK_RAY_TOKEN": token} if token else {})}
    exports["INTERLOCK_TRAINER_PYTHON"] = given.get("INTERLOCK_TRAINER_PYTHON", ray_head.python(home))
    return _server("ray", Probe("ray", address, token), exports, process, also=(ports["ray_client"],))
