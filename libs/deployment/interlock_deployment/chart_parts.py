"""Parts of the chart's values: a class for each mapping, and the types of what stands in them.

An empty text means the default that its description names.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|[kMGTPE]i?)?$")] | Annotated[float, Field(ge=0)]
Digest = Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")]
Tag = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{0,128}$", json_schema_extra={"not": {"const": "latest"}})]
Url = Annotated[str, Field(pattern=r"^(https?://[^/]+)?$")]
Name = Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$")]
Objects = list[dict[str, Any]]
Texts = dict[str, str]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=0, le=1000)]


class Part(BaseModel):
    """A mapping of the values: keys in camelCase, unknown ones are refused."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


class Registry(Part):
    """Where images are pulled from."""

    registry: str = "interlock"
    """Host and folder, as given to `interlock images push`: registry.example.com/interlock."""
    tag: Tag = ""
    """Where an image has no digest; default: the chart's appVersion. `latest` is refused: it changes its meaning."""
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    pull_secrets: list[Name] = []
    """Names of Secrets that may pull from the registry."""


class Image(Part):
    """One image of the three."""

    repository: str
    digest: Digest = ""
    """Which image it is, for ever: sha256:... as the registry says it; written by `interlock deploy set-image`."""


class Images(Part):
    """The images by what is in them; which service runs in which is fixed."""

    light: Image = Image(repository="light")
    model: Image = Image(repository="model")
    trainer: Image = Image(repository="trainer")


class OwnImage(Part):
    """A service's own image, in place of the one that it shares: for an upgrade service by service."""

    digest: Digest = ""


class Access(Part):
    """Who is let in."""

    existing_secret: Name = ""
    """Secret with what is the same for all services; default: <name>-access. Its keys: docs/deploy/kubernetes.md."""


class Store(Part):
    """The object store, any S3."""

    endpoint: Url = ""
    """http://host:port; it must be set."""
    bucket: str = "interlock"
    region: str = "us-east-1"
    job_role: str = ""
    """Role whose scoped credentials jobs on Ray get; without it the Ray pods hold keys themselves."""
    sts_endpoint: Url = ""
    """Where AssumeRole is answered; default: the store."""


class Reserved(Part):
    """What a pod is sure to get."""

    cpu: Quantity
    memory: Quantity


class Limited(Part):
    """No limit on processors: it would only add latency."""

    memory: Quantity


class Given(Part):
    """What one replica is given."""

    requests: Reserved
    limits: Limited


class RayGroup(Part):
    """Workers of one kind."""

    replicas: Count = 1
    resources: Given = Given(requests=Reserved(cpu="2", memory="4Gi"), limits=Limited(memory="4Gi"))
    node_selector: Texts = {}
    tolerations: Objects = []


class RayHead(Part):
    """The head runs no tasks."""

    resources: Given = Given(requests=Reserved(cpu="500m", memory="1Gi"), limits=Limited(memory="2Gi"))


class RayGpuGroup(RayGroup):
    """A second group of workers, with accelerators."""

    enabled: bool = False
    resource: str = "nvidia.com/gpu"
    gpus: Annotated[int, Field(ge=1, le=64)] = 1
    """For each worker."""


class RayCluster(Part):
    """A cluster beside the services, made by the KubeRay operator."""

    enabled: bool = False
    existing_secret: Name = ""
    """Secret with the object store's keys for jobs where s3.jobRole is not set; default: <name>-ray-store."""
    head: RayHead = RayHead()
    workers: RayGroup = RayGroup()
    gpu: RayGpuGroup = RayGpuGroup()


class Ray(Part):
    """Where trainings run."""

    address: Url = ""
    """Dashboard of a cluster of yours, which answers the Jobs API; default: that of ray.cluster."""
    existing_secret: Name = ""
    """Secret with the cluster's token as INTERLOCK_RAY_TOKEN; default: <name>-ray. Needed where there is a cluster."""
    python: str = "/opt/interlock/bin/python"
    """The interpreter on the cluster that has trainer and scorer installed."""
    cluster: RayCluster = RayCluster()


class Tracing(Part):
    """Where spans go; by default nowhere."""

    endpoint: Url = ""
    """A collector, over OTLP/HTTP."""
    to_console: bool = False
    """Send spans to the console instead. Each service's Secret then has OTEL_EXPORTER_OTLP_HEADERS, too."""


class Pods(Part):
    """For the pods of all services."""

    labels: Texts = {}
    annotations: Texts = {}
    node_selector: Texts = {}
    tolerations: Objects = []
    priority_class_name: str = ""


class GatewayAutoscaling(Part):
    """More gateways by processor time; the cluster needs a metrics server."""

    enabled: bool = False
    min_replicas: Count = 2
    max_replicas: Count = 10
    cpu_percent: Annotated[int, Field(ge=1, le=1000)] = 70
    """Of what is reserved, on average."""


class Keda(Part):
    """More replicas of `prediction` by its queues; KEDA must be installed, and RabbitMQ needs its management plugin."""

    enabled: bool = False
    existing_secret: Name = ""
    """Secret with `host`: http://user:password@host:15672/interlock, a user with the tag `monitoring`; default:
    <name>-keda."""
    min_replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    max_replicas: Count = 10
    messages: Annotated[int, Field(ge=1)] = 512
    """How many waiting and unacknowledged messages one replica is for: a replica fetches 512 ahead."""


class Monitoring(Part):
    """A ServiceMonitor; the Prometheus operator must be installed."""

    enabled: bool = False
    labels: Texts = {}
    """What your Prometheus selects by."""
    interval: str = "15s"
    existing_secret: Name = ""
    """Secret with `key`, an API key with the scope `read`; default: <name>-metrics."""


class Edge(Part):
    """Servers outside of this chart."""

    to: Objects = []
    """Peers of the NetworkPolicy; default: anywhere, at these ports."""
    ports: list[Port]


class NetworkPolicy(Part):
    """Deny everything but what the deployment's table says; the cluster's network must enforce policies."""

    enabled: bool = True
    public_from: Objects = []
    """Who may reach gateway and console; default: everybody."""
    metrics_from: Objects = []
    """Who scrapes metrics of every service, for instance the namespace of Prometheus; default: nobody."""
    rabbitmq: Edge = Edge(ports=[5672])
    postgres: Edge = Edge(ports=[5432])
    s3: Edge = Edge(ports=[443, 8333, 9000])
    ray: Edge = Edge(ports=[8265])
    """A cluster of yours; that of ray.cluster needs nothing here."""
    tracing: Edge = Edge(ports=[4318])


class Hosts(Part):
    """Host names under which Ingress or HTTPRoute show the two public services; an empty one stays inside."""

    gateway: Name = ""
    console: Name = ""


class Ingress(Part):
    """An Ingress for the hosts."""

    enabled: bool = False
    class_name: str = ""
    annotations: Texts = {}
    tls_secret: Name = ""
    """Secret with certificate and key for the hosts."""


class GatewayApi(Part):
    """HTTPRoutes for the hosts; the Gateway API must be installed."""

    enabled: bool = False
    grpc: bool = False
    """A GRPCRoute for the gateway's Open Inference Protocol, too."""
    parent_refs: Objects = []
    """The Gateway that the routes attach to."""


class Enabled(Part):
    """A switch."""

    enabled: bool = True
