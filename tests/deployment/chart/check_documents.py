"""Check rendered documents against their schemas, strictly; run in an environment of its own.

Reads a JSON list of documents; prints as JSON what was checked by what, and the faults found.
"""

import copy
import json
import os
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate

KUBERNETES = "1.37"
MODELS = {
    "keda.sh": ("KEDA", "cloudcoil.models.keda.v1alpha1"),
    "monitoring.coreos.com": ("Prometheus operator", "cloudcoil.models.prometheus_operator.v1"),
}
"""Classes made from the operators' definitions, by group."""
KEPT = Path(sys.prefix) / "schemas"

# It reads its definitions, a megabyte, anew for each document.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


def main() -> None:
    documents = json.load(sys.stdin)
    checked: dict[str, str] = {}
    faults = []
    for each in documents:
        kind = f"{each['apiVersion']}/{each['kind']}"
        where = f"{each['kind']} {each['metadata']['name']}"
        by, found = _check(each)
        checked[kind] = by
        faults += [f"{where}: {fault}" for fault in found]
    json.dump({"checked": checked, "faults": faults}, sys.stdout)


def _check(document: dict[str, Any]) -> tuple[str, list[str]]:
    group = document["apiVersion"].partition("/")[0]
    if group in MODELS:
        by, module = MODELS[group]
        return by, _by_schema(_schema_of_model(module, document["kind"]), document)
    if group == "ray.io":
        return _ray(document)
    if group in {"gateway.networking.k8s.io", "argoproj.io"}:
        return "nothing", []
    return f"Kubernetes {KUBERNETES}", _kubernetes(document)


def _kubernetes(document: dict[str, Any]) -> list[str]:
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    return []


@cache
def _schema_of_model(module: str, kind: str) -> dict[str, Any]:
    """Return a model's schema with every object closed: the model itself lets unknown keys pass.

    It is kept in this environment, for importing thousands of classes takes seconds.
    """
    kept = KEPT / f"{module}.{kind}.json"
    if not kept.exists():
        schema = getattr(import_module(module), kind).model_json_schema(by_alias=True)
        for part in (schema, *schema["$defs"].values()):
            if "properties" in part:
                part["additionalProperties"] = False
        KEPT.mkdir(exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(schema))
        part.rename(kept)
    found: dict[str, Any] = json.loads(kept.read_text())
    return found


def _by_schema(schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    found = jsonschema.Draft202012Validator(schema).iter_errors(document)
    return [f"{'.'.join(map(str, each.absolute_path))}: {each.message}" for each in found]


def _ray(document: dict[str, Any]) -> tuple[str, list[str]]:
    """Check the pods in it as pods, and the whole against the operator's own schema where a folder has it."""
    spec = document["spec"]
    faults = []
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        template = copy.deepcopy(group["template"])
        template["metadata"]["name"] = group.get("groupName", "head")
        faults += _kubernetes({"apiVersion": "v1", "kind": "Pod", **template})
    folder = os.environ.get("KUBERAY_SCHEMAS")
    if not folder:
        return f"Kubernetes {KUBERNETES}, its pods", faults
    schema = json.loads((Path(folder) / "rayclusters.v1.json").read_text())["schema"]
    closed = {"apiVersion": {}, "kind": {}, "metadata": {}, **schema["properties"]}
    return "KubeRay", faults + _by_schema(_closed({**schema, "properties": closed}), document)


def _closed(schema: Any) -> Any:
    """Return a schema in which every object with known keys has no others, as a strict API server has it."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        kept = made.get("x-kubernetes-preserve-unknown-fields")
        if "additionalProperties" not in made and not kept and "apiVersion" not in made.get("metadata", {}):
            made["additionalProperties"] = False
    return made


if __name__ == "__main__":
    main()
