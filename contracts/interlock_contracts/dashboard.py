"""The Grafana dashboard, made from the declared metrics so that it can't query one that no service exports.

``make contracts`` writes it to ``compose/observability/grafana/interlock.json``.
"""

from collections.abc import Sequence
from typing import Any

from interlock_contracts import metrics as m

WIDTH, HEIGHT = 12, 8
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_OF_MODEL = 'model=~"$model"'
_FAILED = ',status=~"5.."'
_CPU, _MEMORY = "process_cpu_seconds_total", "process_resident_memory_bytes"
"""Two of those that prometheus_client exposes for every process."""

Query = tuple[str, str]
"""An expression of PromQL, and what its series are called."""


def _rate(metric: m.Metric, by: str, where: str = "", part: str = "") -> str:
    return f"sum by ({by}) (rate({metric.name}{part}{{{where}}}[$__rate_interval]))"


def _quantile(share: float, metric: m.Metric, by: str, where: str = "") -> str:
    return f"histogram_quantile({share}, {_rate(metric, f'{by}, le', where, '_bucket')})"


def _same_in_all(metric: m.Metric, by: str, where: str = "") -> str:
    """Return a metric that every replica exposes alike."""
    return f"max by ({by}) ({metric.name}{{{where}}})"


ROWS: dict[str, list[tuple[str, str, list[Query]]]] = {
    "Serving": [
        ("Requests by protocol", "reqps", [(_rate(m.PREDICT_REQUESTS, "protocol", _OF_MODEL), "{{protocol}}")]),
        (
            "Share that fails",
            "percentunit",
            [
                (
                    " / ".join(_rate(m.PREDICT_REQUESTS, "model", where) for where in (_OF_MODEL + _FAILED, _OF_MODEL)),
                    "{{model}}",
                )
            ],
        ),
        (
            "Time to an answer",
            "s",
            [
                (_quantile(share, m.PREDICT_SECONDS, "model", _OF_MODEL), f"{{{{model}}}} {share}")
                for share in (0.5, 0.99)
            ],
        ),
        (
            "Requests by version and status",
            "reqps",
            [
                (
                    _rate(m.PREDICT_VERSION_REQUESTS, "model, version, status", _OF_MODEL),
                    "{{model}} v{{version}} {{status}}",
                )
            ],
        ),
        ("Rows", "rowsps", [(_rate(m.PREDICT_ROWS, "model", _OF_MODEL), "{{model}}")]),
        (
            "Version by worker",
            "none",
            [
                (f"max by (model, worker) ({m.SERVING_VERSION.name}{{{_OF_MODEL}}})", "{{model}} {{worker}}"),
                (_same_in_all(m.PROMOTED_VERSION, "model", _OF_MODEL), "{{model}} should serve"),
            ],
        ),
        (
            "Time from a promotion to the swap",
            "s",
            [(_quantile(0.95, m.LOAD_SECONDS, "model", _OF_MODEL), "{{model}}")],
        ),
        (
            "What is predicted: quantiles of the last answers",
            "none",
            [(f"avg by (model, quantile) ({m.PREDICTED_QUANTILE.name}{{{_OF_MODEL}}})", "{{model}} {{quantile}}")],
        ),
        (
            "What is predicted: labels",
            "none",
            [(_rate(m.PREDICTED_LABELS, "model, label", _OF_MODEL), "{{model}} {{label}}")],
        ),
        ("Loads", "none", [(_rate(m.LOADS, "model, outcome", _OF_MODEL), "{{model}} {{outcome}}")]),
        (
            "Prediction log",
            "rowsps",
            [
                (_rate(m.LOG_ROWS, "model", _OF_MODEL), "{{model}} logged"),
                (_rate(m.LOG_DROPPED, "model", _OF_MODEL), "{{model}} dropped"),
            ],
        ),
        (
            "Asynchronous predictions",
            "reqps",
            [(_rate(m.ASYNC_PREDICTIONS, "model, outcome", _OF_MODEL), "{{model}} {{outcome}}")],
        ),
    ],
    "From data to a version": [
        (
            "Files by verdict",
            "none",
            [(_same_in_all(m.DATASETS, "pipeline, verdict"), "{{pipeline}} {{verdict}}")],
        ),
        ("Oldest file without a verdict", "s", [(_same_in_all(m.DATASETS_AGE, "pipeline"), "{{pipeline}}")]),
        ("Runs by outcome", "none", [(_same_in_all(m.RUNS, "model, outcome", _OF_MODEL), "{{model}} {{outcome}}")]),
        ("Runs that are open", "none", [(_same_in_all(m.RUNS_OPEN, "model, state", _OF_MODEL), "{{model}} {{state}}")]),
        (
            "Verdicts of the gate in an hour",
            "none",
            [(f"sum by (model, verdict) (increase({m.VERDICTS.name}{{{_OF_MODEL}}}[1h]))", "{{model}} {{verdict}}")],
        ),
        ("Versions by stage", "none", [(_same_in_all(m.VERSIONS, "model, stage", _OF_MODEL), "{{model}} {{stage}}")]),
    ],
    "Events": [
        ("Messages that wait", "none", [(_same_in_all(m.QUEUE_MESSAGES, "queue"), "{{queue}}")]),
        ("Queue wait, 95 %", "s", [(_quantile(0.95, m.MESSAGE_WAIT_SECONDS, "queue"), "{{queue}}")]),
        ("Handling a message, 95 %", "s", [(_quantile(0.95, m.MESSAGE_SECONDS, "queue"), "{{queue}}")]),
        ("Troubles", "none", [(_rate(m.MESSAGE_TROUBLES, "queue, outcome"), "{{queue}} {{outcome}}")]),
        ("Oldest event in an outbox", "s", [(_same_in_all(m.OUTBOX_AGE, "job, type"), "{{job}} {{type}}")]),
        ("Dead letters", "none", [(_same_in_all(m.DEAD_LETTERS, "queue"), "{{queue}}")]),
    ],
    "Services": [
        ("Dependencies that answer", "none", [(f"min by (job, name) ({m.DEPENDENCY_UP.name})", "{{job}} {{name}}")]),
        ("Requests", "reqps", [(_rate(m.HTTP_SECONDS, "job", part="_count"), "{{job}}")]),
        (
            "Time to an answer, 95 %",
            "s",
            [(_quantile(0.95, m.HTTP_SECONDS, "job, http_route"), "{{job}} {{http_route}}")],
        ),
        ("Processors", "none", [(f"sum by (job) (rate({_CPU}[$__rate_interval]))", "{{job}}")]),
        ("Memory", "bytes", [(f"sum by (job) ({_MEMORY})", "{{job}}")]),
    ],
}


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana takes it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, graphs in ROWS.items():
        panels.append({"type": "row", "title": title, "gridPos": _place(0, top, 24, 1), "id": len(panels) + 1})
        top += 1
        for number, (name, unit, queries) in enumerate(graphs):
            where = _place(number % 2 * WIDTH, top + number // 2 * HEIGHT, WIDTH, HEIGHT)
            panels.append(_graph(len(panels) + 1, name, unit, queries, where))
        top += -(-len(graphs) // 2) * HEIGHT
    return {
        "uid": "interlock",
        "title": "Interlock",
        "tags": ["interlock"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_datasource(), _models()]},
        "panels": panels,
    }


def _place(x: int, y: int, w: int, h: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": w, "h": h}


def _graph(number: int, title: str, unit: str, queries: Sequence[Query], where: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "datasource": _SOURCE,
        "gridPos": where,
        "fieldConfig": {"defaults": {"unit": unit, "custom": {"fillOpacity": 8}}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for place, (expression, legend) in enumerate(queries)
        ],
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}


def _models() -> dict[str, Any]:
    return {
        "name": "model",
        "type": "query",
        "label": "Model",
        "datasource": _SOURCE,
        "query": f"label_values({m.VERSIONS.name}, model)",
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
    }
