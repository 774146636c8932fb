"""Generates from catalog and deployment: JSON Schemas, AsyncAPI, the map of the system, metrics, dashboard.

Run as ``python -m interlock_contracts.render``; with ``--check`` it writes nothing and lists what is out of date.
"""

import json
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import interlock_contracts
from interlock_contracts.catalog import OBSERVER, OUTSIDE, ROUTES, Route
from interlock_contracts.dashboard import dashboard
from interlock_contracts.deployment import SERVICES, Service
from interlock_contracts.gate import DIRECTIONS
from interlock_contracts.http import Body, Problem, Request
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.metrics import METRICS
from interlock_contracts.metrics import PAGE as METRICS_PAGE
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.scraping import prometheus

ROOT = Path(__file__).resolve().parents[2]


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every event's data, the pipeline file, the manifest, the error and the REST bodies."""
    documents = {route.event.type: route.event.model_json_schema() for route in ROUTES}
    others: dict[str, type[BaseModel]] = {
        "pipeline": Pipeline,
        "training-manifest": TrainingManifest,
        "problem": Problem,
    }
    return documents | {name: model.model_json_schema() for name, model in others.items()} | {"rest": _rest()}


def _rest() -> dict[str, Any]:
    """Return one schema with a property for each body of the REST API, by the name of its class."""
    for module in pkgutil.iter_modules(interlock_contracts.__path__):
        if module.name not in ("render", "released"):
            import_module(f"interlock_contracts.{module.name}")
    bodies = sorted({*_descendants(Body), *_descendants(Request)}, key=lambda each: each.__name__)
    _, document = models_json_schema([(each, "validation") for each in bodies])
    references = {each.__name__: {"$ref": f"#/$defs/{each.__name__}"} for each in bodies}
    return {"title": "Bodies of the REST API", "type": "object", "properties": references, **document}


def _descendants(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield all classes that are made of one, those of the contracts only."""
    for each in base.__subclasses__():
        if each.__module__.startswith("interlock_contracts."):
            yield each
            yield from _descendants(each)


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3 document: one channel an event type, one operation a producer and a consumer."""
    operations: dict[str, Any] = {}
    for route in ROUTES:
        channel = {"$ref": f"#/channels/{route.event.type}"}
        for producer in route.producers:
            operations[f"{producer}.publishes.{route.event.type}"] = {"action": "send", "channel": channel}
        for consumer in (*_consumers(route), OBSERVER):
            operations[f"{consumer}.consumes.{route.event.type}"] = {"action": "receive", "channel": channel}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Interlock",
            "version": "1",
            "description": "CloudEvents 1.0 in binary content mode on the topic exchange `interlock.events`.",
        },
        "channels": {route.event.type: _channel(route) for route in ROUTES},
        "operations": operations,
    }


def _consumers(route: Route) -> list[str]:
    """Return the services that consume an event, each once: also one with both a shared and a per-worker queue."""
    return list(dict.fromkeys((*route.consumers, *route.per_worker)))


def _channel(route: Route) -> dict[str, Any]:
    return {
        "address": route.event.type,
        "description": (route.event.__doc__ or "").strip(),
        "x-external": route.external,
        "bindings": {"amqp": {"is": "routingKey", "exchange": {"name": "interlock.events", "type": "topic"}}},
        "messages": {
            route.event.__name__: {
                "contentType": "application/json",
                "payload": {"$ref": f"schemas/{route.event.type}.json"},
            }
        },
    }


def system_map() -> str:
    """Return ``docs/map.md``: the flow as a Mermaid picture and as a table, and the table of the services."""
    edges: dict[tuple[str, str], list[str]] = {}
    for route in ROUTES:
        for producer in route.producers:
            for consumer in _consumers(route):
                edges.setdefault((producer, consumer), []).append(route.event.type)
    arrows = [f"    {a} -->|{'<br/>'.join(types)}| {b}" for (a, b), types in edges.items()]
    rows = [
        f"| `{route.event.type}` | {_names(route.producers)} | {_names(route.consumers)} "
        f"| {_names(route.per_worker)} | {_sentence(route)} |"
        for route in ROUTES
    ]
    return "\n".join(
        [
            "# The map of the system",
            "",
            "Made from `catalog.py` and `deployment.py` of the contracts by `make contracts`; do not edit.",
            f"`{OUTSIDE}` is anyone with the rights and an AMQP client.",
            f"`{OBSERVER}` observes every event, ephemeral ones only while they are watched, and publishes none.",
            "",
            "```mermaid",
            "flowchart LR",
            *arrows,
            "```",
            "",
            "| event | producers | consumers | consumed by every worker of | when it is true |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "## Services",
            "",
            "What a deployment has to give each service; a `light` image has no arrays, tables and engines.",
            "",
            "| service | image | ports | uses | calls | reads in the bucket | writes in the bucket |",
            "|---|---|---|---|---|---|---|",
            *map(_service_row, SERVICES),
            "",
        ]
    )


def _service_row(service: Service) -> str:
    ports = (service.port, *([service.grpc_port] if service.grpc_port is not None else []))
    columns = (
        service.name,
        service.image,
        ", ".join(map(str, ports)),
        _names([server.name for server in service.uses]),
        _names(service.calls),
        _names([f"`{prefix}/`" for prefix in service.prefixes.read]),
        _names([f"`{prefix}/`" for prefix in service.prefixes.write]),
    )
    return f"| {' | '.join(columns)} |"


def metrics_page() -> str:
    """Return ``docs/metrics.md``: how to scrape, and a table of the metrics."""
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{label}`' for label in each.labels) or '—'} | {each.by} "
        f"| {each.help} |"
        for each in METRICS.values()
    ]
    head = "| metric | kind | labels | exposed by | what |"
    return "\n".join([METRICS_PAGE, head, "|---|---|---|---|---|", *rows, ""])


def directions() -> str:
    """Return the console's module with the direction of each metric."""
    lines = [f'  {name}: "{better}",' for name, better in DIRECTIONS.items()]
    head = "// In which direction each metric is better. Made from the contracts by `make contracts`; do not edit."
    return "\n".join([head, "export const DIRECTIONS = {", *lines, "};", ""])


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) or "—"


def _sentence(route: Route) -> str:
    return " ".join((route.event.__doc__ or "").split("\n\n")[0].split())


def files() -> dict[Path, str]:
    """Return every generated file with its content."""
    made = {
        ROOT / "contracts" / "schemas" / f"{name}.json": json.dumps(schema, indent=2, sort_keys=True) + "\n"
        for name, schema in schemas().items()
    }
    made[ROOT / "contracts" / "asyncapi.yaml"] = yaml.safe_dump(asyncapi(), sort_keys=False, width=120)
    made[ROOT / "docs" / "map.md"] = system_map()
    made[ROOT / "docs" / "metrics.md"] = metrics_page()
    made[ROOT / "services/console/interlock_console/static/ui/directions.js"] = directions()
    made[ROOT / "compose/observability/prometheus.yml"] = prometheus()
    made[ROOT / "compose/observability/grafana/interlock.json"] = json.dumps(dashboard(), indent=2) + "\n"
    return made


def main() -> int:
    """Write what is out of date, or with ``--check`` name it and return 1."""
    outdated = {path: text for path, text in files().items() if not path.exists() or path.read_text() != text}
    check = "--check" in sys.argv[1:]
    for path, text in outdated.items():
        sys.stdout.write(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}\n")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
