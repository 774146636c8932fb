"""What MLflow's ``MLmodel`` file says of a saved model, as far as such a model is imported: data, never code."""

import json
from pathlib import PurePosixPath
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from interlock_contracts.refs import Ref

MLMODEL = "MLmodel"
"""The name of the file, at the top of a model's folder."""

MAX_BYTES = 1 << 20
"""Of an ``MLmodel`` file; one with a wide signature has some kilobytes."""

Flavour = Literal["onnx", "xgboost"]

_IMPORTED: tuple[Flavour, ...] = ("onnx", "xgboost")
_NUMBERS = frozenset({"boolean", "integer", "long", "float", "double"})
_TENSORS = ("float", "int", "uint", "bool")
_LEGACY = (".pkl", ".pickle", ".joblib", ".cloudpickle")


class MlflowModel(Ref):
    """A saved model of a flavour that is imported; ``file`` is its path in the folder.

    ``columns`` are the names of its inputs in order, None where its signature names none.
    """

    flavour: Flavour
    file: str
    model_class: str | None = None
    columns: list[str] | None = Field(default=None, min_length=1)
    run_id: str | None = None
    model_id: str | None = None
    mlflow_version: str | None = None
    created: str | None = None


def parse_mlmodel(content: bytes) -> MlflowModel:
    """Return what an ``MLmodel`` file says.

    Raises:
        ValueError: it is not one, or its model is not imported; the text says why, and what would be right.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"{MLMODEL} has {len(content)} bytes; at most {MAX_BYTES} are read")
    try:
        document = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, LookupError) as error:
        raise ValueError(f"{MLMODEL} is no YAML: {error}") from error
    flavours = document.get("flavors") if isinstance(document, dict) else None
    if not isinstance(flavours, dict) or not flavours:
        raise ValueError(f"{MLMODEL} names no flavors; it is not a model's folder as MLflow writes it")
    flavour = next((each for each in _IMPORTED if isinstance(flavours.get(each), dict)), None)
    if flavour is None:
        raise ValueError(
            f"flavors {', '.join(map(str, flavours))}: only {' and '.join(_IMPORTED)} are imported, since any other "
            "is Python code or pickled objects, which would have to run in a sandbox. Save the model as ONNX instead"
        )
    said: dict[str, Any] = flavours[flavour]
    try:
        return MlflowModel(
            flavour=flavour,
            file=_file(flavour, said.get("data")),
            model_class=_text(said.get("model_class")),
            columns=_columns(document.get("signature")),
            run_id=_text(document.get("run_id")),
            model_id=_text(document.get("model_id") or document.get("model_uuid")),
            mlflow_version=_text(document.get("mlflow_version")),
            created=_text(document.get("utc_time_created")),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{MLMODEL}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _file(flavour: Flavour, data: Any) -> str:
    if not isinstance(data, str) or not data:
        raise ValueError(f"{MLMODEL}: flavors.{flavour}.data names no file")
    path = PurePosixPath(data)
    if path.is_absolute() or ".." in path.parts or "\\" in data or "\0" in data:
        raise ValueError(f"{MLMODEL}: flavors.{flavour}.data must name a file in the folder, not {data[:80]!r}")
    if path.suffix in _LEGACY:
        raise ValueError(
            f"{MLMODEL}: {data[:80]!r} holds pickled objects, which would have to run in a sandbox; save the model "
            "again with a newer MLflow, model_format='ubj' or 'json'"
        )
    return str(path)


def _columns(signature: Any) -> list[str] | None:
    """Return the names of a signature's inputs; None without one, or where it is one tensor without a name."""
    inputs = signature.get("inputs") if isinstance(signature, dict) else None
    if inputs is None:
        return None
    try:
        declared = json.loads(inputs)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{MLMODEL}: signature.inputs is no JSON") from error
    if not isinstance(declared, list) or not all(isinstance(each, dict) for each in declared):
        raise ValueError(f"{MLMODEL}: signature.inputs is no list of columns or tensors")
    for each in declared:
        _require_numbers(each)
    names = [each.get("name") for each in declared]
    if not all(isinstance(name, str) for name in names):
        return None
    if len(set(names)) != len(names):
        raise ValueError(f"{MLMODEL}: signature.inputs names an input twice")
    return names or None


def _require_numbers(declared: dict[str, Any]) -> None:
    kind = declared.get("type")
    name = declared.get("name")
    if kind == "tensor":
        spec = declared.get("tensor-spec")
        dtype = spec.get("dtype") if isinstance(spec, dict) else None
        if not isinstance(dtype, str) or not dtype.startswith(_TENSORS):
            raise ValueError(f"{MLMODEL}: input {name!r} is a tensor of {dtype}; only numbers and booleans are mapped")
    elif kind not in _NUMBERS:
        raise ValueError(
            f"{MLMODEL}: input {name!r} has the type {kind}; only {', '.join(sorted(_NUMBERS))} are mapped to columns"
        )


def _text(value: Any) -> str | None:
    return str(value)[:200].replace("\0", "\N{REPLACEMENT CHARACTER}") if value else None
