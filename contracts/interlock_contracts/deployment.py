"""What runs: the services, the servers behind them, and what each service needs, may reach and listens at.

The catalog has the producers and consumers of each event; this table has what a deployment of these services consists
of, whoever makes it: the local stack reads it, and so does whatever names all services. Queues are no column: they
follow from the catalog (:func:`interlock_contracts.permissions.work_queues`). Where a server or service listens on one
particular machine, and who starts it again, is a matter of that deployment and not of this table.
"""

from dataclasses import dataclass
from typing import Literal

LIVE, READY = "/health/live", "/health/ready"
"""Every service's probes: whether the process runs, and whether everything that it needs answers it."""

STOP_SECONDS = 15
"""How long a service may take to end after SIGTERM: it drains requests and messages in flight."""

Image = Literal["light", "model"]
"""What a service's packages weigh: ``model`` has arrays, tables and inference engines, ``light`` has none of them."""


@dataclass(frozen=True)
class Server:
    """A server that services use; ``settings`` lead one there. Services start after those that are ``awaited``."""

    name: str
    settings: tuple[str, ...]
    awaited: bool = True


RABBITMQ = Server("rabbitmq", ("INTERLOCK_AMQP_URL",))
POSTGRES = Server("postgres", ("INTERLOCK_POSTGRES_URL",))
S3 = Server(
    "s3",
    (
        "INTERLOCK_S3_ENDPOINT",
        "INTERLOCK_S3_BUCKET",
        "INTERLOCK_S3_REGION",
        "INTERLOCK_S3_ACCESS_KEY",
        "INTERLOCK_S3_SECRET_KEY",
    ),
)
RAY = Server(
    "ray",
    (
        "INTERLOCK_RAY_ADDRESS",
        "INTERLOCK_RAY_TOKEN",
        "INTERLOCK_TRAINER_PYTHON",
        "INTERLOCK_S3_JOB_ROLE",
        "INTERLOCK_S3_STS_ENDPOINT",
    ),
    awaited=False,  # it starts slowest, and only jobs need it
)
"""The cluster for jobs. A service that uses it issues scoped credentials of the object store to its jobs."""

SERVERS = (RABBITMQ, POSTGRES, S3, RAY)

SECRETS = frozenset(
    {
        "INTERLOCK_KEY_PEPPER",
        "INTERLOCK_SERVICE_KEY",
        "INTERLOCK_AMQP_URL",
        "INTERLOCK_POSTGRES_URL",
        "INTERLOCK_S3_ACCESS_KEY",
        "INTERLOCK_S3_SECRET_KEY",
        "INTERLOCK_RAY_TOKEN",
        "INTERLOCK_SIGNING_KEY",
        "INTERLOCK_WEBHOOK_SECRET",
    }
)
"""Settings that are secret; a service may hold those that are among its settings, and no other."""


@dataclass(frozen=True)
class Prefixes:
    """Prefixes of the bucket that an identity may read, and may write; whoever reads verifies digests."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()


PEOPLE = Prefixes(read=("incoming",), write=("incoming",))
JOBS = Prefixes(read=("sha256", "runs", "predictions", "holdout"), write=("sha256", "runs", "predictions"))
"""At most, over all jobs on Ray; one job gets its own folders for a limited time."""


@dataclass(frozen=True)
class Resources:
    """What one replica is given: ``cpu`` in cores and ``memory_mb`` in MiB are reserved, ``limit_mb`` is the most.

    There is no limit on processors, which would only add latency; what is free is shared in proportion to ``cpu``.
    """

    cpu: float
    memory_mb: int
    limit_mb: int


@dataclass(frozen=True)
class Service:
    """One service: a process ``python -m interlock_<name>``, of which there may be several replicas.

    It calls the services in ``calls`` over HTTP, and waits for none of them to start. ``own_settings`` are those that a
    deployment gives it beside addresses and credentials. People and their programs reach it where it is ``public``.
    """

    name: str
    image: Image
    uses: tuple[Server, ...]
    resources: Resources
    calls: tuple[str, ...] = ("registry",)
    prefixes: Prefixes = Prefixes()
    own_settings: tuple[str, ...] = ()
    port: int = 8000
    grpc_port: int | None = None
    public: bool = False
    replicas: int = 1  # in a cluster; on one machine each service runs once

    @property
    def host(self) -> str:
        """Return its name in the network: an underscore is not allowed in a host name."""
        return self.name.replace("_", "-")

    @property
    def address(self) -> str:
        """Return the setting that holds its URL."""
        return address_of(self.name)

    @property
    def starts_after(self) -> tuple[str, ...]:
        """Return the servers that must be healthy before it starts."""
        return tuple(server.name for server in self.uses if server.awaited)

    @property
    def settings(self) -> tuple[str, ...]:
        """Return all settings that a deployment gives it; what else it reads has a default that fits everywhere."""
        return (
            "INTERLOCK_HOST",
            "INTERLOCK_PORT",
            *(["INTERLOCK_GRPC_PORT"] if self.grpc_port is not None else []),
            "INTERLOCK_KEY_PEPPER",
            "INTERLOCK_KEY_HASHES",
            *(["INTERLOCK_SERVICE_KEY"] if self.calls else []),
            *(setting for server in self.uses for setting in server.settings),
            *(address_of(name) for name in self.calls),
            *self.own_settings,
        )


def address_of(service: str) -> str:
    """Return the setting that holds a service's URL."""
    return f"INTERLOCK_{service.upper()}_URL"


_MODEL_MEMORY = {
    "gateway": "INTERLOCK_GATEWAY_MODEL_MEMORY",
    "prediction": "INTERLOCK_PREDICTION_MODEL_MEMORY",
}


def model_memory(service: Service) -> dict[str, str]:
    """Return the setting for how many bytes of models a service may hold, where it loads some on request.

    A quarter of its limit: each process has its own pages of what it reads. Its default is half of the machine's
    memory, which in a deployment is not the service's alone.
    """
    setting = _MODEL_MEMORY.get(service.name)
    return {setting: str(service.resources.limit_mb * 2**20 // 4)} if setting else {}


PUBLIC_KEY = "INTERLOCK_SIGNING_PUBLIC_KEY"
"""Given to those that sign promotions or load what was promoted."""

SERVICES = (
    Service(
        "ingest",
        image="model",
        uses=(RABBITMQ, POSTGRES, S3),
        resources=Resources(cpu=0.25, memory_mb=320, limit_mb=1024),
        calls=("registry", "train_dispatch"),
        prefixes=Prefixes(read=("sha256", "holdout", "incoming"), write=("sha256", "holdout")),
    ),
    Service(
        "train_dispatch",
        image="light",
        uses=(RABBITMQ, POSTGRES, S3, RAY),
        resources=Resources(cpu=0.1, memory_mb=192, limit_mb=384),
        prefixes=Prefixes(read=("sha256", "runs"), write=("sha256",)),
    ),
    Service(
        "registry",
        image="light",
        uses=(RABBITMQ, POSTGRES, S3),
        resources=Resources(cpu=0.1, memory_mb=192, limit_mb=384),
        calls=("train_dispatch",),
        prefixes=Prefixes(read=("sha256",), write=("sha256",)),
        own_settings=("INTERLOCK_SIGNING_KEY", PUBLIC_KEY),
    ),
    Service(
        "evaluation_gate",
        image="model",
        uses=(RABBITMQ, S3),
        resources=Resources(cpu=0.25, memory_mb=320, limit_mb=1024),
        prefixes=Prefixes(read=("sha256", "holdout"), write=("sha256",)),
    ),
    Service(
        "prediction",
        image="model",
        uses=(RABBITMQ, POSTGRES, S3, RAY),
        resources=Resources(cpu=0.5, memory_mb=384, limit_mb=1536),
        calls=("registry", "ingest"),
        prefixes=Prefixes(read=("sha256", "holdout", "incoming", "predictions"), write=("sha256", "predictions")),
        own_settings=(PUBLIC_KEY, "INTERLOCK_WEBHOOK_SECRET"),
    ),
    Service(
        "monitor",
        image="model",
        uses=(RABBITMQ, POSTGRES),
        resources=Resources(cpu=0.1, memory_mb=256, limit_mb=512),
    ),
    Service(
        "gateway",
        image="model",
        uses=(RABBITMQ, S3),
        resources=Resources(cpu=0.5, memory_mb=512, limit_mb=2048),
        calls=("registry", "ingest", "train_dispatch", "prediction", "monitor"),
        prefixes=Prefixes(read=("sha256",), write=("sha256",)),
        own_settings=(PUBLIC_KEY,),
        grpc_port=8001,
        public=True,
        replicas=2,
    ),
    Service(
        "console",
        image="light",
        uses=(RABBITMQ, POSTGRES),
        resources=Resources(cpu=0.1, memory_mb=192, limit_mb=384),
        calls=("registry", "gateway", "ingest", "train_dispatch", "evaluation_gate", "prediction", "monitor"),
        own_settings=("INTERLOCK_CONSOLE_URL",),
        port=8080,
        public=True,
    ),
)
"""In the order of the flow; the local stack shows them like this."""

NAMES = tuple(each.name for each in SERVICES)


def services_using(server: Server) -> tuple[str, ...]:
    """Return the services that use a server."""
    return tuple(each.name for each in SERVICES if server in each.uses)


def callers_of(service: str) -> tuple[str, ...]:
    """Return the services that call a service over HTTP, each with its own key."""
    return tuple(each.name for each in SERVICES if service in each.calls)


OUTAGES: dict[str, str] = {
    "gateway": "predictions fail",
    "registry": "predictions go on with the loaded versions; promotions, approvals and new pipelines wait for it",
    "ingest": "files cannot be ingested; predictions go on",
    "train_dispatch": "no run starts or ends; predictions go on",
    "evaluation_gate": "trained versions wait for their evaluation; predictions go on",
    "prediction": "asynchronous predictions and batch scoring wait; online predictions go on",
    "monitor": "live quality is not updated; predictions go on",
    "console": "pages and traces wait; everything else goes on",
}
"""What it means for users while a service does not answer, in the same words on pages, in problems and commands."""
