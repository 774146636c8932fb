"""Values of the chart: what can be set, what it means, and what it is where nothing is set.

``values.yaml`` and ``values.schema.json`` are made from these classes (:mod:`interlock_deployment.chart`), so that a
value which is misspelt, or of another type, is refused before anything is rendered.
"""

from typing import Annotated, Any

from interlock_contracts.deployment import SECRETS, SERVICES, Service, model_memory
from pydantic import BaseModel, ConfigDict, Field, create_model

from interlock_deployment.chart_parts import (
    Access,
    Count,
    Enabled,
    GatewayApi,
    GatewayAutoscaling,
    Given,
    Hosts,
    Images,
    Ingress,
    Keda,
    Limited,
    Monitoring,
    Name,
    NetworkPolicy,
    Objects,
    OwnImage,
    Part,
    Pods,
    Quantity,
    Ray,
    Registry,
    Reserved,
    Store,
    Texts,
    Tracing,
    Url,
)


class ServiceValues(Part):
    """One service."""

    replicas: Count = 1
    resources: Given
    tmp_size: Quantity = "1Gi"
    """The most that it may keep in its temporary folder, its only place to write."""
    existing_secret: Name = ""
    """Secret of this service alone; default: <name>-<service>. Its keys: docs/deploy/kubernetes.md."""
    env: Annotated[Texts, Field(json_schema_extra={"propertyNames": {"not": {"enum": sorted(SECRETS)}}})] = {}
    """More settings (docs/configuration.md); secrets are refused here."""
    egress: Objects = []
    """More egress rules of its NetworkPolicy, for instance to receivers of webhooks."""
    image: OwnImage | None = None


def _defaults(service: Service) -> ServiceValues:
    given = service.resources
    return ServiceValues(
        replicas=service.replicas,
        resources=Given(
            requests=Reserved(cpu=f"{given.cpu * 1000:.0f}m", memory=f"{given.memory_mb}Mi"),
            limits=Limited(memory=f"{given.limit_mb}Mi"),
        ),
        tmp_size=_TMP.get(service.name, "1Gi"),
        env=model_memory(service),
    )


_TMP = {"ingest": "64Gi", "prediction": "48Gi", "gateway": "4Gi"}
"""Files are there while they are checked (three times 20 GiB at most) and scored (twice); models while they serve."""


class ServiceParts(BaseModel):
    """The services by their names, which are no camelCase."""

    model_config = ConfigDict(extra="forbid")


_services: dict[str, Any] = {each.name: (ServiceValues, _defaults(each)) for each in SERVICES}
Services = create_model("Services", __base__=ServiceParts, **_services)


class Values(Part):
    """Everything that can be set."""

    fullname_override: Name = ""
    """<name> in the names of all objects; default: the release's name, with `interlock` in it."""
    image: Registry = Registry()
    images: Images = Images()
    access: Access = Access()
    s3: Store = Store()
    ray: Ray = Ray()
    hosts: Hosts = Hosts()
    console_url: Url = ""
    """Where browsers find the console; under https its cookie is `Secure`; default: http://127.0.0.1:8080."""
    tracing: Tracing = Tracing()
    pods: Pods = Pods()
    services: Services = Services()
    disruption_budgets: Enabled = Enabled()
    """For what has more than one replica."""
    gateway_autoscaling: GatewayAutoscaling = GatewayAutoscaling()
    keda: Keda = Keda()
    service_monitor: Monitoring = Monitoring()
    network_policy: NetworkPolicy = NetworkPolicy()
    ingress: Ingress = Ingress()
    gateway_api: GatewayApi = GatewayApi()
    global_: dict[str, Any] = Field(default={}, alias="global")
    """For charts that have this one in them; nothing here is read."""
