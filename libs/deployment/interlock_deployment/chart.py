"""Files of the chart ``helm/interlock`` that are made: values, their schema, and the table that its templates read.

What a service may hold, reach and be reached by stands in the chart's ``table.yaml`` and not among its values: nobody
changes it by setting a value.
"""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import yaml
from interlock_contracts.catalog import ROUTES
from interlock_contracts.deployment import LIVE, PUBLIC_KEY, READY, SECRETS, SERVICES, STOP_SECONDS, Service, callers_of
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from interlock_deployment.chart_values import Values

FOLDER = "helm/interlock"
_MADE = "# Made from {source} by `make contracts`; do not edit.\n"
_WIDTH = 110

SHARED = ("INTERLOCK_KEY_PEPPER", "INTERLOCK_KEY_HASHES", PUBLIC_KEY)
"""In one Secret for all services, for they are the same; a service gets those among its settings."""
RAY_TOKEN = "INTERLOCK_RAY_TOKEN"  # noqa: S105 - the name of a setting
"""In a Secret that the cluster's pods read, too."""


def own_secrets(service: Service) -> tuple[str, ...]:
    """Return the keys of a service's own Secret."""
    return tuple(each for each in service.settings if each in SECRETS and each not in (*SHARED, RAY_TOKEN))


def shared_secrets(service: Service) -> tuple[str, ...]:
    """Return the keys that it gets of the Secret for all."""
    return tuple(each for each in service.settings if each in SHARED)


def table() -> str:
    """Return the chart's own copy of the table of the deployment."""
    head = _MADE.format(source="contracts/interlock_contracts/deployment.py")
    document = {
        "live": LIVE,
        "ready": READY,
        "stopSeconds": STOP_SECONDS,
        "rayVersion": _ray_version(),
        "services": {each.name: _row(each) for each in SERVICES},
    }
    return head + yaml.safe_dump(document, sort_keys=False, width=_WIDTH)


def _row(service: Service) -> dict[str, Any]:
    in_files = {*own_secrets(service), *shared_secrets(service), RAY_TOKEN}
    return {
        "host": service.host,
        "image": service.image,
        "port": service.port,
        "grpcPort": service.grpc_port,
        "public": service.public,
        "uses": [each.name for each in service.uses],
        "calls": list(service.calls),
        "calledBy": list(callers_of(service.name)),
        "settings": [each for each in service.settings if each not in in_files],
        "secrets": list(own_secrets(service)),
        "shared": list(shared_secrets(service)),
        "queues": [f"{service.name}.{each.event.type}" for each in ROUTES if service.name in each.consumers],
    }


def _ray_version() -> str:
    """Return Ray's version in the trainer's image, which the operator wants to be told."""
    lock = Path("requirements.lock").read_text()
    found = re.search(r"^ray==(\S+)", lock, re.MULTILINE)
    assert found, "the trainer's image has Ray"
    return found.group(1)


def values() -> str:
    """Return ``values.yaml``: every value that can be set with its default, and what it means."""
    head = _MADE.format(source="libs/deployment/interlock_deployment/chart_values.py")
    return "\n".join([head, *_lines(Values(), 0, set())]) + "\n"


def _lines(part: BaseModel, indent: int, told: set[type[BaseModel]]) -> list[str]:
    """Return a mapping's lines; what its keys mean is said the first time."""
    lines, known = [], type(part) in told
    told.add(type(part))
    for name, field in type(part).model_fields.items():
        value, key, space = getattr(part, name), field.alias or name, " " * indent
        if value is None:
            continue
        about = None if known else field.description
        if isinstance(value, BaseModel) and type(value) not in told:
            about = about or type(value).__doc__
        wrapped = textwrap.wrap(" ".join((about or "").split()), _WIDTH - indent, break_on_hyphens=False)
        lines += [f"{space}# {line}" for line in wrapped]
        if isinstance(value, BaseModel):
            lines += [f"{space}{key}:", *_lines(value, indent + 2, told)]
        elif isinstance(value, dict) and value:
            lines += [f"{space}{key}:", *(f"{space}  {each}: {json.dumps(one)}" for each, one in value.items())]
        else:
            lines.append(f"{space}{key}: {json.dumps(value)}")
    return lines


class _NoTitles(GenerateJsonSchema):
    """Without titles, which only repeat the keys, and without defaults, which stand in ``values.yaml``."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])


def schema() -> str:
    """Return ``values.schema.json``; no key is required, for a values file has only what differs."""
    document = Values.model_json_schema(schema_generator=_NoTitles)
    for part in (document, *document["$defs"].values()):
        part.pop("required", None)
        part.pop("title", None)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **document}, indent=1) + "\n"
