"""Who holds which secret and reaches whom is what the deployment's table says, in every pod of the chart."""

import json
from typing import Any

import pytest
import yaml
from interlock_contracts.deployment import PUBLIC_KEY, RAY, SECRETS, SERVICES, Service, callers_of
from interlock_contracts.deployment import services_using as users_of
from interlock_deployment import chart

from tests.deployment.chart.conftest import CHART, FULL, Document, of_kind, pod_of, rendered
from tests.deployment.chart.test_schemas import MATRIX

WITH_RAY = ("ray.cluster.enabled=true",)
NOT_SECRET = {"INTERLOCK_KEY_HASHES", PUBLIC_KEY}
each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.name)


def files(spec: Document) -> dict[str, tuple[str, str]]:
    """Return what is mounted as a secret file: path -> Secret, and its key."""
    (volume,) = [each for each in spec["volumes"] if each["name"] == "secrets"]
    return {
        f"/run/secrets/interlock/{item['path']}": (source["secret"]["name"], item["key"])
        for source in volume["projected"]["sources"]
        for item in source["secret"]["items"]
    }


def environment(spec: Document) -> dict[str, Any]:
    (container,) = spec["containers"]
    names = [each["name"] for each in container["env"]]
    assert len(names) == len({*names}), "Kubernetes keeps one of two with the same name"
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


@each_service
@pytest.mark.parametrize("settings", [(), WITH_RAY], ids=["alone", "ray"])
def test_a_service_holds_the_secrets_that_the_table_says(service: Service, settings: tuple[str, ...]) -> None:
    """As files, each named by its setting; what is of one service is in a Secret of its own."""
    spec = pod_of(service, *settings)
    mounted = files(spec)
    wanted = {each for each in service.settings if each in SECRETS | NOT_SECRET}
    if not settings:
        wanted -= {chart.RAY_TOKEN}  # there is no cluster

    assert {key for _, key in mounted.values()} == wanted
    given = {name: value for name, value in environment(spec).items() if name.endswith("_FILE")}
    assert given == {f"{key}_FILE": path for path, (_, key) in mounted.items()}
    places = {key: secret for secret, key in mounted.values()}
    for key in wanted:
        shared = {**dict.fromkeys(chart.SHARED, f"{FULL}-access"), chart.RAY_TOKEN: f"{FULL}-ray"}
        assert places[key] == shared.get(key, f"{FULL}-{service.host}")


@each_service
def test_no_secret_is_in_the_environment(service: Service) -> None:
    """Whoever may see a pod's description would read it; a private key in PEM would not even arrive whole."""
    for settings in MATRIX.values():
        found = environment(pod_of(service, *settings))
        assert not SECRETS & found.keys()
        assert all(isinstance(value, str) for name, value in found.items() if name.startswith("INTERLOCK_"))


@each_service
def test_a_service_is_given_its_settings(service: Service) -> None:
    """Every setting of the table that has a value, under the service's own host and port."""
    settings = (
        *WITH_RAY,
        's3={"jobRole": "r", "stsEndpoint": "http://sts"}',
        'consoleUrl="https://console.example.com"',
    )
    found = environment(pod_of(service, *settings))
    named = {name.removesuffix("_FILE") for name in found if name.startswith("INTERLOCK_")}

    assert {*service.settings} <= named
    assert named - {*service.settings} <= {"INTERLOCK_SPANS_DIR", *json.loads(_env_of(service))}
    assert found["INTERLOCK_HOST"] == "0.0.0.0"
    assert found["INTERLOCK_PORT"] == str(service.port)
    for name in service.calls:
        other = next(each for each in SERVICES if each.name == name)
        assert found[other.address] == f"http://{FULL}-{other.host}:{other.port}"
        ports = of_kind(rendered(), "Service")[f"{FULL}-{other.host}"]["spec"]["ports"]
        assert other.port in {each["port"] for each in ports}


def _env_of(service: Service) -> str:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    return json.dumps(values["services"][service.name]["env"])


def test_settings_of_a_service_win() -> None:
    """What a user sets is set once, also where the chart has a value for it."""
    gateway = next(each for each in SERVICES if each.name == "gateway")
    found = environment(
        pod_of(gateway, 'services.gateway.env={"INTERLOCK_RATE_LIMIT": "9", "INTERLOCK_S3_REGION": "x"}')
    )
    assert (found["INTERLOCK_RATE_LIMIT"], found["INTERLOCK_S3_REGION"]) == ("9", "x")


def edges(settings: tuple[str, ...], direction: str) -> dict[str, set[tuple[str, int | str]]]:
    """Return for each service which component's pods it may reach, or be reached by, at which port."""
    found: dict[str, set[tuple[str, int | str]]] = {}
    key = {"ingress": "from", "egress": "to"}[direction]
    for name, policy in of_kind(rendered(*settings), "NetworkPolicy").items():
        for rule in policy["spec"].get(direction, []):
            for peer in rule.get(key, [{}]):
                labels = peer.get("podSelector", {}).get("matchLabels", {})
                who = labels.get("app.kubernetes.io/component", "anywhere")
                for port in rule.get("ports", [{"port": "any"}]):
                    found.setdefault(name.removeprefix(f"{FULL}-"), set()).add((who, port["port"]))
    return found


@each_service
@pytest.mark.parametrize("settings", [(), WITH_RAY, ("tracing.toConsole=true",)], ids=["alone", "ray", "tracing"])
def test_the_network_has_the_edges_of_the_table(service: Service, settings: tuple[str, ...]) -> None:
    """Nobody reaches, or is reached by, what the table does not say."""
    by_name = {each.name: each for each in SERVICES}
    callers, calls = {*callers_of(service.name)}, {*service.calls}
    if "tracing" in str(settings):
        callers |= {*by_name} - {"console"} if service.name == "console" else set()
        calls |= {"console"} if service.name != "console" else set()
    reached_by: set[tuple[str, int | str]] = {(by_name[each].host, "http") for each in callers}
    if service.public:
        reached_by |= {("anywhere", "http")} | ({("anywhere", "grpc")} if service.grpc_port else set())
    ports = {"rabbitmq": [5672], "postgres": [5432], "s3": [443, 8333, 9000], "ray": []}
    reaches: set[tuple[str, int | str]] = {(by_name[each].host, by_name[each].port) for each in calls}
    reaches |= {("anywhere", port) for server in service.uses for port in [*ports[server.name], 53]}
    if settings == WITH_RAY and RAY in service.uses:
        reaches.add(("ray-head", 8265))

    assert edges(settings, "ingress").get(service.host, set()) == reached_by
    assert edges(settings, "egress")[service.host] == reaches


def test_everything_is_denied_first() -> None:
    """A policy without rules holds for every pod of the release, the cluster's pods too."""
    documents = rendered(*WITH_RAY)
    deny = of_kind(documents, "NetworkPolicy")[f"{FULL}-deny"]["spec"]
    assert sorted(deny["policyTypes"]) == ["Egress", "Ingress"]
    assert not {"ingress", "egress"} & deny.keys()
    chosen = deny["podSelector"]["matchLabels"].items()
    cluster = of_kind(documents, "RayCluster")[f"{FULL}-ray"]["spec"]
    templates = [each["spec"]["template"] for each in of_kind(documents, "Deployment").values()]
    templates += [each["template"] for each in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    assert len(templates) == len(SERVICES) + 2
    for each in templates:
        assert chosen <= each["metadata"]["labels"].items()


def test_trainings_are_sent_to_the_head_of_the_cluster() -> None:
    """By the name that the operator gives its Service; a cluster of one's own is named by its address."""
    (name,) = of_kind(rendered(*WITH_RAY), "RayCluster")
    for service in (each for each in SERVICES if RAY in each.uses):
        assert environment(pod_of(service, *WITH_RAY))["INTERLOCK_RAY_ADDRESS"] == f"http://{name}-head-svc:8265"
        other = environment(pod_of(service, 'ray.address="http://ray.elsewhere:8265"'))
        assert other["INTERLOCK_RAY_ADDRESS"] == "http://ray.elsewhere:8265"
        assert "INTERLOCK_RAY_ADDRESS" not in environment(pod_of(service))


def test_the_cluster_is_reached_by_those_that_use_it() -> None:
    """And holds the token, the object store's keys, and no other secret."""
    documents = rendered(*WITH_RAY)
    hosts = {each.host for each in SERVICES if each.name in users_of(RAY)}
    found = edges(WITH_RAY, "ingress")["ray"]
    assert found == {*((host, 8265) for host in hosts), ("anywhere", "any")}
    peers = of_kind(documents, "NetworkPolicy")[f"{FULL}-ray"]["spec"]["ingress"][0]["from"]
    assert peers[0]["podSelector"]["matchExpressions"][0]["values"] == ["ray-head", "ray-worker"]
    for settings, keys in (
        (WITH_RAY, {"INTERLOCK_S3_ACCESS_KEY", "INTERLOCK_S3_SECRET_KEY"}),
        ((*WITH_RAY, 's3.jobRole="r"'), set()),
    ):
        cluster = of_kind(rendered(*settings), "RayCluster")[f"{FULL}-ray"]["spec"]
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
            assert {key for _, key in files(group["template"]["spec"]).values()} == {chart.RAY_TOKEN} | keys
