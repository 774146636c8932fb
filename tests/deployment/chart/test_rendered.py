"""How the chart's pods run, are replaced, scaled, chosen and shown; nothing in it needs Helm at the cluster."""

import copy
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from interlock_contracts.catalog import ROUTES
from interlock_contracts.deployment import LIVE, READY, SERVICES, STOP_SECONDS, Service
from interlock_contracts.permissions import users
from interlock_deployment import chart

from tests.deployment.chart.conftest import CHART, FULL, Document, of_kind, pod_of, rendered
from tests.deployment.chart.test_schemas import DIGEST, MATRIX
from tests.support.environments import CHECKOUT

each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.name)


def containers(documents: tuple[Document, ...]) -> list[tuple[Document, Document]]:
    """Return every pod's description with its one container."""
    pods = [each["spec"]["template"]["spec"] for each in of_kind(documents, "Deployment").values()]
    for cluster in of_kind(documents, "RayCluster").values():
        groups = (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"])
        pods += [each["template"]["spec"] for each in groups]
    return [(each, container) for each in pods for container in each["containers"]]


@pytest.mark.parametrize("way", ["default", "gpu"])
def test_no_pod_has_more_rights_than_it_needs(way: str) -> None:
    """No root, nothing to write to, no token of the cluster; memory is limited, processors are not."""
    found = containers(rendered(*MATRIX[way]))
    assert len(found) == {"default": len(SERVICES), "gpu": len(SERVICES) + 3}[way]
    for spec, container in found:
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False, "INTERLOCK_PORT would be a variable of Kubernetes"
        assert {*container["resources"]["requests"]} == {"cpu", "memory"}
        assert "cpu" not in container["resources"]["limits"]
        assert container["resources"]["limits"]["memory"]


@each_service
def test_a_replica_is_replaced_without_a_gap(service: Service) -> None:
    """The new one must be ready first, and the old one has time to drain after it has stopped to be asked."""
    deployment = of_kind(rendered(), "Deployment")[f"{FULL}-{service.host}"]["spec"]
    spec = pod_of(service)
    (container,) = spec["containers"]
    waits = container["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["terminationGracePeriodSeconds"] > STOP_SECONDS + waits
    assert container["startupProbe"]["httpGet"] == {"path": READY, "port": "http"}
    assert container["readinessProbe"]["httpGet"] == container["livenessProbe"]["httpGet"]
    assert container["livenessProbe"]["httpGet"] == {"path": LIVE, "port": "http"}
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 600
    assert container["command"] == ["python", "-m", f"interlock_{service.name}"]
    given = service.resources
    assert container["resources"]["limits"]["memory"] == f"{given.limit_mb}Mi"


def test_what_has_replicas_has_a_budget() -> None:
    """A budget for a single replica would stop every drain of its node."""
    assert {*of_kind(rendered(), "PodDisruptionBudget")} == {
        f"{FULL}-{each.host}" for each in SERVICES if each.replicas > 1
    }
    many = rendered("services.registry.replicas=3", "keda.enabled=true")
    assert {*of_kind(many, "PodDisruptionBudget")} == {
        f"{FULL}-{name}" for name in ("gateway", "prediction", "registry")
    }


def test_who_scales_decides_the_number_of_replicas() -> None:
    """Else every `helm upgrade`, and Argo CD all the time, would set it back."""
    for way, name in (("keda", "prediction"), ("autoscaling", "gateway")):
        deployments = of_kind(rendered(*MATRIX[way]), "Deployment")
        assert [each for each, found in deployments.items() if "replicas" not in found["spec"]] == [f"{FULL}-{name}"]


def test_prediction_is_scaled_by_the_queues_that_it_consumes() -> None:
    """By waiting and unacknowledged messages: over AMQP what a busy replica has fetched would not count."""
    (scaled,) = of_kind(rendered("keda.enabled=true"), "ScaledObject").values()
    triggers = [each["metadata"] for each in scaled["spec"]["triggers"]]
    consumed = {f"prediction.{route.event.type}" for route in ROUTES if "prediction" in route.consumers}
    assert {each["queueName"] for each in triggers} == consumed
    assert "prediction.prediction.requested" in consumed
    for each in triggers:
        assert (each["protocol"], each["mode"], each["excludeUnacknowledged"]) == ("http", "QueueLength", "false")
    assert "interlock_prediction" in {each.name for each in users()}


def selectors(documents: tuple[Document, ...]) -> dict[str, Any]:
    """Return everything that chooses pods, by kind and name: most of it can never be changed in a cluster."""
    found = {}
    for each in documents:
        spec = each.get("spec", {})
        for key in ("selector", "podSelector", "scaleTargetRef"):
            if key in spec:
                found[f"{each['kind']} {each['metadata']['name']} {key}"] = spec[key]
    return found


def test_selectors_stay_from_version_to_version(tmp_path: Path) -> None:
    """Neither a new version nor other values change one: an upgrade would be refused."""
    later = tmp_path / "interlock"
    for file in CHART.rglob("*"):
        if file.is_file():
            target = later / file.relative_to(CHART)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    text = (later / "Chart.yaml").read_text().replace("0.1.0", "9.8.7")
    (later / "Chart.yaml").write_text(text)

    now, then = rendered(), rendered(chart=str(later))
    assert selectors(now) == selectors(then)
    assert "9.8.7" not in json.dumps(selectors(then))
    assert "9.8.7" in json.dumps(then)
    for settings in MATRIX.values():
        other = selectors(rendered(*settings))
        shared = now and selectors(now).keys() & other.keys()
        assert shared
        assert {key: other[key] for key in shared} == {key: selectors(now)[key] for key in shared}


def test_a_selector_chooses_the_pods_of_one_service() -> None:
    """And its ports are ports of theirs."""
    documents = rendered()
    deployments = of_kind(documents, "Deployment")
    for name, service in of_kind(documents, "Service").items():
        wanted = service["spec"]["selector"].items()
        chosen = [
            each
            for each, found in deployments.items()
            if wanted <= found["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert chosen == [name]
        ports = {each["name"] for each in deployments[name]["spec"]["template"]["spec"]["containers"][0]["ports"]}
        assert {each["targetPort"] for each in service["spec"]["ports"]} == ports


def test_two_releases_in_one_namespace_do_not_meet() -> None:
    """Their names and selectors differ, so staging may stand beside production."""
    first, second = rendered(), rendered(release="staging")
    names = [{(each["kind"], each["metadata"]["name"]) for each in documents} for documents in (first, second)]
    assert not names[0] & names[1]
    labels = [each["spec"]["selector"]["app.kubernetes.io/instance"] for each in of_kind(second, "Service").values()]
    assert {*labels} == {"staging"}


def test_images_are_what_the_values_say() -> None:
    """By the chart's version, a tag, or a digest; never by a tag that moves."""
    images = {each["name"]: each["image"] for _, each in containers(rendered())}
    assert images == {each.host: f"interlock/{each.image}:0.1.0" for each in SERVICES}
    ours = 'image={"registry": "registry.example.com/ml", "tag": "0.2.0"}'
    other = 'services.gateway.image={"digest": "sha256:' + "e" * 64 + '"}'
    images = {
        each["name"]: each["image"] for _, each in containers(rendered(ours, f'images.model.digest="{DIGEST}"', other))
    }
    assert images["prediction"] == f"registry.example.com/ml/model@{DIGEST}"
    assert images["gateway"] == "registry.example.com/ml/model@sha256:" + "e" * 64
    assert images["registry"] == "registry.example.com/ml/light:0.2.0"
    for settings in MATRIX.values():
        assert ":latest" not in json.dumps(rendered(*settings))


@pytest.mark.parametrize("way", MATRIX)
def test_nothing_needs_helm_at_the_cluster(way: str) -> None:
    """No hooks, jobs, look-ups or generated secrets: Argo CD renders the chart, and every time alike."""
    documents = rendered(*MATRIX[way])
    assert not {each["kind"] for each in documents} & {"Job", "Secret", "ConfigMap", "ClusterRole", "Pod"}
    assert "helm.sh/hook" not in json.dumps(documents)


def test_templates_look_nothing_up() -> None:
    """What a template asks the cluster, the clock or chance differs from one rendering to the next."""
    for file in CHART.glob("templates/*"):
        actions = " ".join(re.findall(r"\{\{.*?\}\}", file.read_text(), re.DOTALL))
        assert not re.search(
            r"\b(lookup|rand\w+|gen(CA|SelfSigned|Signed|PrivateKey)\w*|now|IsUpgrade|IsInstall|Revision)\b", actions
        )


def test_the_chart_is_of_this_version() -> None:
    """A chart is released with the images that it names."""
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((CHECKOUT / "contracts" / "pyproject.toml").read_text())["project"]["version"]
    assert described["version"] == described["appVersion"] == version


def test_public_services_are_shown_under_their_hosts() -> None:
    """By Ingress and by the Gateway API alike; nothing else is shown."""
    hosts = {f"{FULL}-gateway": "ml.example.com", f"{FULL}-console": "console.example.com"}
    assert {*hosts} == {f"{FULL}-{each.host}" for each in SERVICES if each.public}
    (ingress,) = of_kind(rendered(*MATRIX["ingress"]), "Ingress").values()
    shown = {
        path["backend"]["service"]["name"]: rule["host"]
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    assert shown == hosts
    assert sorted(ingress["spec"]["tls"][0]["hosts"]) == sorted(hosts.values())
    routes = rendered(*MATRIX["gateway-api"])
    services = of_kind(routes, "Service")
    for kind, count in (("HTTPRoute", 2), ("GRPCRoute", 1)):
        found = of_kind(routes, kind)
        assert len(found) == count
        for name, route in found.items():
            assert route["spec"]["hostnames"] == [hosts[name]]
            assert route["spec"]["parentRefs"] == [{"name": "public"}]
            ((backend,),) = [rule["backendRefs"] for rule in route["spec"]["rules"]]
            assert backend["name"] == name
            assert backend["port"] in {each["port"] for each in services[name]["spec"]["ports"]}


def test_metrics_have_the_jobs_that_rules_and_dashboards_know() -> None:
    """By the label that the ServiceMonitor takes the job from."""
    (monitor,) = of_kind(rendered(*MATRIX["monitoring"]), "ServiceMonitor").values()
    label = monitor["spec"]["jobLabel"]
    services = of_kind(rendered(), "Service").values()
    text = (CHECKOUT / "compose" / "observability" / "prometheus.yml").read_text()
    assert {each["metadata"]["labels"][label] for each in services} == {*re.findall(r"job: (interlock-\w+)", text)}


def test_a_group_with_accelerators_is_given_them() -> None:
    """And Ray is told how many; its version is that of the trainer's image."""
    (cluster,) = of_kind(rendered(*MATRIX["gpu"]), "RayCluster").values()
    assert cluster["metadata"]["annotations"] == {"ray.io/overwrite-container-cmd": "true"}, "for the pods' own command"
    workers, gpu = cluster["spec"]["workerGroupSpecs"]
    limits = [each["template"]["spec"]["containers"][0]["resources"]["limits"] for each in (workers, gpu)]
    assert ["nvidia.com/gpu" in each for each in limits] == [False, True]
    assert limits[1]["nvidia.com/gpu"] == 2
    assert gpu["rayStartParams"]["num-gpus"] == "2"
    locked = re.search(r"^ray(?:\[.*\])?==(\S+)", (CHECKOUT / "requirements.lock").read_text(), re.MULTILINE)
    assert locked
    assert cluster["spec"]["rayVersion"] == locked.group(1)


def test_a_change_of_the_table_reaches_the_chart() -> None:
    """What is committed is what the renderer makes; it is not a copy by hand."""
    for path, text in (
        (chart.FOLDER + "/table.yaml", chart.table),
        (chart.FOLDER + "/values.schema.json", chart.schema),
    ):
        assert (CHECKOUT / path).read_text() == text()
    assert copy.deepcopy(yaml.safe_load(chart.table()))["services"].keys() == {each.name for each in SERVICES}
