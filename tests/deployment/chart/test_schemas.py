"""Every way to render the chart is what Kubernetes and its operators take, by their own schemas."""

import json
from typing import Any

import pytest

from tests.deployment.chart.conftest import CHART, Document, checked, helm, of_kind, rendered

DIGEST = "sha256:" + "d" * 64
MATRIX: dict[str, tuple[str, ...]] = {
    "default": (),
    "digest": (f'images.model.digest="{DIGEST}"', f'services.gateway.image={{"digest": "{DIGEST}"}}'),
    "pods": (
        'image.pullSecrets=["pull"]',
        (
            'pods={"labels": {"team": "ml"}, "annotations": {"a": "b"}, "nodeSelector": {"disk": "ssd"}, '
            '"tolerations": [{"key": "ml", "operator": "Exists"}], "priorityClassName": "high"}'
        ),
    ),
    "keda": ("keda.enabled=true",),
    "autoscaling": ("gatewayAutoscaling.enabled=true",),
    "ray": ("ray.cluster.enabled=true",),
    "ray-role": ("ray.cluster.enabled=true", 's3.jobRole="arn:aws:iam::1:role/jobs"'),
    "ray-outside": ('ray.address="http://ray.elsewhere:8265"',),
    "gpu": (
        "ray.cluster.enabled=true",
        (
            'ray.cluster.gpu={"enabled": true, "gpus": 2, "nodeSelector": {"gpu": "yes"}, '
            '"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}'
        ),
    ),
    "ingress": (
        'ingress={"enabled": true, "className": "nginx", "tlsSecret": "tls", "annotations": {"a": "b"}}',
        'hosts={"gateway": "ml.example.com", "console": "console.example.com"}',
    ),
    "gateway-api": (
        'gatewayApi={"enabled": true, "grpc": true, "parentRefs": [{"name": "public"}]}',
        'hosts={"gateway": "ml.example.com", "console": "console.example.com"}',
    ),
    "monitoring": ('serviceMonitor={"enabled": true, "labels": {"release": "prometheus"}}',),
    "tracing": ("tracing.toConsole=true",),
    "collector": ('tracing.endpoint="http://collector:4318"',),
    "network": (
        (
            'networkPolicy={"publicFrom": [{"namespaceSelector": {}}], "metricsFrom": [{"podSelector": {}}], '
            '"s3": {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [9000]}}'
        ),
        'services.prediction.egress=[{"ports": [{"port": 443}]}]',
    ),
    "no-network": ("networkPolicy.enabled=false", "disruptionBudgets.enabled=false"),
}
"""What users choose between; each renders alone."""


UNKNOWN: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "Deployment": ("default", ("spec", "template", "spec", "containers", 0, "livenessProbe")),
    "NetworkPolicy": ("default", ("spec", "egress", 0)),
    "ScaledObject": ("keda", ("spec", "triggers", 0)),
    "TriggerAuthentication": ("keda", ("spec", "secretTargetRef", 0)),
    "ServiceMonitor": ("monitoring", ("spec", "endpoints", 0)),
    "RayCluster": ("ray", ("spec", "headGroupSpec", "template", "spec", "containers", 0)),
}
"""Where a key that is not known is put, by kind and way to render."""


def with_unknown_key(kind: str) -> Document:
    """Return a document of a kind, called bogus, that has an unknown key deep inside."""
    way, path = UNKNOWN[kind]
    name = "interlock-gateway" if kind in {"Deployment", "NetworkPolicy"} else None
    documents = of_kind(rendered(*MATRIX[way]), kind)
    document: Document = json.loads(json.dumps(documents[name] if name else next(iter(documents.values()))))
    inside: Any = document
    for key in path:
        inside = inside[key]
    inside["bogus"] = 1
    document["metadata"]["name"] = "bogus"
    return document


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """Check every document of the matrix, equal ones once, and those with an unknown key: starting takes the time."""
    found = {json.dumps(each, sort_keys=True): each for settings in MATRIX.values() for each in rendered(*settings)}
    return checked([*found.values(), *map(with_unknown_key, UNKNOWN)])


def test_the_chart_is_clean() -> None:
    """Helm itself finds nothing to warn of."""
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout


def test_every_document_is_what_its_schema_says(result: dict[str, Any]) -> None:
    """Unknown keys are faults: an API server would drop some of them in silence."""
    assert [fault for fault in result["faults"] if " bogus:" not in fault] == []
    assert {kind for kind, by in result["checked"].items() if by == "nothing"} == {
        "gateway.networking.k8s.io/v1/HTTPRoute",
        "gateway.networking.k8s.io/v1/GRPCRoute",
    }
    assert len(result["checked"]) == 12


@pytest.mark.parametrize("kind", UNKNOWN)
def test_the_check_finds_an_unknown_key(result: dict[str, Any], kind: str) -> None:
    """Else the test above would show nothing."""
    assert any(fault.startswith(f"{kind} bogus:") and "'bogus'" in fault for fault in result["faults"])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("servces.registry.replicas=3", "servces"),
        ("services.registy.replicas=3", "registy"),
        ("services.registry.replica=3", "replica"),
        ('services.registry.replicas="abc"', "replicas"),
        ('image.tag="latest"', "tag"),
        ('images.model.digest="sha256:abc"', "digest"),
        ('s3.endpoint="s3.example.com"', "endpoint"),
        ('services.gateway.env.INTERLOCK_SERVICE_KEY="key"', "INTERLOCK_SERVICE_KEY"),
        ("networkPolicy.s3.ports=[99999]", "ports"),
        ("keda.minReplicas=0", "minReplicas"),
        ("ray.cluster.gpu.enable=true", "enable"),
    ],
)
def test_a_typing_mistake_is_refused(setting: str, said: str) -> None:
    """With the key that is wrong, before anything is rendered."""
    done = helm(
        "template",
        "interlock",
        str(CHART),
        *(word for each in ('s3.endpoint="http://s3:9000"', setting) for word in ("--set-json", each)),
    )
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((), "s3.endpoint: where is the object store?"),
        (
            ("s3.endpoint=http://s3:9000", "ingress.enabled=true"),
            "ingress.enabled needs hosts.gateway or hosts.console",
        ),
        (
            ("s3.endpoint=http://s3:9000", "gatewayApi.enabled=true", "hosts.gateway=a.b"),
            "gatewayApi.parentRefs: to which Gateway",
        ),
    ],
)
def test_what_is_missing_is_asked_for(settings: tuple[str, ...], said: str) -> None:
    """The message says which value, and what it is for."""
    words = [word for each in settings for word in ("--set", each)]
    done = helm("template", "interlock", str(CHART), *words)
    assert done.returncode != 0
    assert said in done.stderr


def test_global_values_of_a_larger_chart_pass() -> None:
    """They are given to every chart inside of one, whether it reads them or not."""
    assert rendered('global={"imageRegistry": "registry.example.com"}') == rendered()
