"""Alert rules, dashboard and scrape configuration: they query declared metrics, and have their descriptions."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from interlock_cli.__main__ import app
from interlock_contracts.deployment import SERVICES
from interlock_contracts.metrics import METRICS, Metric
from typer.main import get_command

from tests.support.debian_programs import program

FOLDER = Path(__file__).parents[2] / "compose/observability"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
NOT_OURS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}


def expressions() -> dict[str, str]:
    """Return every expression of PromQL that is asked, by what asks it."""
    asked = {rule["alert"]: rule["expr"] for rule in RULES}
    board = json.loads((FOLDER / "grafana/interlock.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            asked[f"{panel['title']} {target['refId']}"] = target["expr"]
    return asked


def series(metric: Metric) -> set[str]:
    """Return the names under which a metric is exposed."""
    parts = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
    return {metric.name + part for part in parts}


@pytest.mark.parametrize("expression", [pytest.param(text, id=name) for name, text in expressions().items()])
def test_every_metric_that_is_queried_is_declared(expression: str) -> None:
    """Each name is a declared metric's, and each label between braces or after `by` is one that it has."""
    known = {name: metric for metric in METRICS.values() for name in series(metric)}
    named = set(re.findall(r"\b(?:interlock|http_server|process)_\w+", expression)) - NOT_OURS
    assert named <= known.keys()
    labels = {label for name in named for label in known[name].labels} | {"worker", "job", "instance", "le", "service"}
    for inner in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        assert {label.strip() for label in inner.split(",")} <= labels
    for name, inner in re.findall(r"(\w+)\{([^}]+)\}", expression):
        for label in re.findall(r"(\w+)\s*(?:=~|!=|=)", inner):
            assert label in (*(known[name].labels if name in known else ()), "job", "worker", "le"), (
                f"{name}{{{label}}}"
            )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_to_do_first(rule: dict[str, Any]) -> None:
    """In words, with commands that exist."""
    commands = getattr(get_command(app), "commands")  # noqa: B009 - typer's own click is private
    told = rule["annotations"]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert told["summary"]
    assert told["action"]
    for name in re.findall(r"`interlock ([a-z-]+)", told["action"]):
        assert name in commands


def test_every_alert_is_tested() -> None:
    """An alert that never fired in a test might never fire."""
    tests = (FOLDER / "alerts_test.yml").read_text()
    assert not [rule["alert"] for rule in RULES if rule["alert"] not in tests]


def test_every_service_is_scraped() -> None:
    """At its host and port, under the name that its traces have."""
    (scrape,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    jobs = {each["labels"]["job"]: each["targets"] for each in scrape["static_configs"]}
    assert jobs == {f"interlock-{each.name}": [f"{each.host}:{each.port}"] for each in SERVICES}
    assert jobs["interlock-train_dispatch"] == ["train-dispatch:8000"]
    assert jobs["interlock-console"] == ["console:8080"]


def test_metrics_are_named_as_prometheus_has_it() -> None:
    """Counters end in `_total`, times in `_seconds`, and every one has a help text."""
    for metric in METRICS.values():
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.help.endswith("."), metric.name
        if metric.kind == "histogram":
            assert metric.name.endswith("_seconds"), metric.name


def checked(*words: str) -> None:
    """Check with promtool; it comes with Debian's package `prometheus`."""
    done = subprocess.run(
        [program("promtool", "prometheus"), *words], check=False, cwd=FOLDER, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_when_they_should_and_not_before() -> None:
    """By promtool's own unit tests, which stand beside the rules."""
    checked("test", "rules", "alerts_test.yml")


def test_the_scrape_configuration_is_one() -> None:
    """Prometheus would start with it."""
    checked("check", "config", "--syntax-only", "prometheus.yml")
