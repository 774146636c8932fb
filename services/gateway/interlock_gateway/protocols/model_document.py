"""One model's own OpenAPI document: its rows and answers as JSON Schema, made from the signature of what serves."""

from typing import Any

from interlock_contracts.predictions import MAX_ROWS
from interlock_modeling.signature import Feature, ModelSignature, label_names
from interlock_runtime.http import SCOPE
from interlock_tables.locales import PLAIN
from interlock_tables.spellings import text_pattern
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from interlock_gateway.protocols.inference import Inference, ModelInfo, described
from interlock_gateway.protocols.outputs import PREDICTION, PROBABILITIES
from interlock_gateway.protocols.tensors import BYTES, NUMERIC

Schema = dict[str, Any]

_FORMS: dict[str, list[Schema]] = {
    "number": [{"type": "number"}],
    "integer": [{"type": "integer"}],
    "boolean": [{"type": "boolean"}, {"enum": [0, 1]}],
    "category": [{"type": "integer"}],
    "datetime": [],
}
"""What a cell of each type may be besides a text."""

_WHOLE = [name for name, dtype in NUMERIC.items() if dtype.kind in "iu"]


def model_document_route(inferring: Inference) -> HTTPRouteHandler:
    @get(
        "/models/{name:str}/schema", tags=["gateway"], opt={SCOPE: "predict"}, summary="A model's own OpenAPI document"
    )
    async def schema(name: FromPath[str]) -> dict[str, Any]:
        champion = await inferring.champion(name)
        return model_document(name, champion.version, champion.model.signature)

    return schema


def model_document(name: str, version: int, signature: ModelSignature) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": str(version),
            "summary": f"Predicts {signature.target}",
            # What JSON Schema cannot say of a column: its type, its declared range and values. For forms.
            "x-signature": signature.model_dump(mode="json"),
        },
        "security": [{"key": []}],
        "paths": {
            f"/models/{name}/predict": _post("Predict", "PredictRequest", "PredictAnswer", 422, "Problem"),
            f"/v2/models/{name}/infer": _post("Open Inference Protocol", "InferRequest", "InferAnswer", 400, "Failed"),
            f"/models/{name}/invocations": _post("MLflow's contract", "ScoringRequest", "Scored", 400, "ScoringFailed"),
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Row": _row(signature),
                "Prediction": _prediction(signature),
                "Probabilities": _probabilities(signature),
                "Problem": _object({"title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT}),
                "Failed": _object({"error": _TEXT}),
                "ScoringFailed": _object({"error_code": _TEXT, "message": _TEXT}),
                **_own(name, signature),
                **_open_inference(described(name, version, signature)),
                **_mlflow(),
            },
        },
    }


_TEXT: Schema = {"type": "string"}
_ROWS: Schema = {"type": "array", "items": {"$ref": "#/components/schemas/Row"}, "minItems": 1, "maxItems": MAX_ROWS}
_PREDICTIONS: Schema = {"type": "array", "items": {"$ref": "#/components/schemas/Prediction"}}


def _object(properties: dict[str, Schema], *, optional: tuple[str, ...] = (), closed: bool = False) -> Schema:
    required = [name for name in properties if name not in optional]
    found: Schema = {"type": "object", "properties": properties, "required": required}
    return found | {"additionalProperties": False} if closed else found


def _post(summary: str, request: str, response: str, error_status: int, failure: str) -> Schema:
    def content(schema: str) -> Schema:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}

    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": content(request)},
            "responses": {
                "200": {"description": "Predictions", "content": content(response)},
                str(error_status): {
                    "description": "What does not fit, and what would be right",
                    "content": content(failure),
                },
            },
        }
    }


def _row(signature: ModelSignature) -> Schema:
    optional = tuple(feature.name for feature in signature.features if feature.nullable and feature.optional)
    cells = {each.name: _cell(each, signature) for each in signature.features}
    key: dict[str, Schema] = {name: {"description": "Given back with the answer."} for name in signature.key}
    ignored: dict[str, Schema] = {name: {"description": "Ignored: no feature."} for name in signature.ignored}
    return _object(key | ignored | cells, optional=(*optional, *key, *ignored), closed=True)


def _cell(feature: Feature, signature: ModelSignature) -> Schema:
    """Return what a cell may be; the declared range and categories stand in words, for others are only warned of."""
    null_values = signature.null_values or []
    text: Schema = {"type": "string"}
    if signature.locale == PLAIN:  # how texts are written otherwise, a pattern would not say
        text["pattern"] = text_pattern(feature.type)
    if not feature.nullable and null_values:
        text["not"] = {"enum": null_values}
    forms = [*_FORMS[feature.type], text]
    if feature.nullable:
        forms += [{"type": "null"}, *([{"enum": null_values}] if null_values else [])]
    schema: Schema = {"anyOf": forms, "description": feature.expected}
    return schema | {"examples": feature.values[:8]} if feature.values else schema


def _prediction(signature: ModelSignature) -> Schema:
    return {"type": "number"} if signature.labels is None else {"enum": signature.labels}


def _probabilities(signature: ModelSignature) -> Schema:
    names = label_names(signature.labels or [])
    return _object({name: {"type": "number", "minimum": 0, "maximum": 1} for name in names}, closed=True)


def _own(name: str, signature: ModelSignature) -> dict[str, Schema]:
    warned = _object({"row": {"type": "integer"}, "column": _TEXT, "message": _TEXT}, closed=True)
    answer: dict[str, Schema] = {
        "id": _TEXT,
        "model": {"const": name},
        "version": {"type": "integer", "minimum": 1},
        "predictions": _PREDICTIONS,
        "probabilities": {"type": "array", "items": {"$ref": "#/components/schemas/Probabilities"}},
        "warnings": {"type": "array", "items": warned},
        "keys": {"type": "array", "items": {"type": "object"}},
    }
    optional = ("warnings", "keys", *(("probabilities",) if signature.labels is None else ()))
    return {
        "PredictRequest": _object({"rows": _ROWS}, closed=True),
        "PredictAnswer": _object(answer, optional=optional, closed=True),
    }


def _open_inference(info: ModelInfo) -> dict[str, Schema]:
    shape: Schema = {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2}
    parameters: Schema = {"type": "object"}

    def tensor(called: str, datatypes: list[str]) -> Schema:
        properties: dict[str, Schema] = {
            "name": {"const": called},
            "datatype": {"enum": datatypes},
            "shape": shape,
            "data": {"type": "array"},
            "parameters": parameters,
        }
        return _object(properties, optional=("data", "parameters"))

    inputs = [tensor(each.name, [BYTES, *(_WHOLE if each.datatype == BYTES else NUMERIC)]) for each in info.inputs]
    outputs = [tensor(each.name, [each.datatype]) for each in info.outputs]
    wanted = _object(
        {"name": {"enum": [PREDICTION, PROBABILITIES]}, "parameters": parameters}, optional=("parameters",)
    )
    request_fields: dict[str, Schema] = {
        "id": _TEXT,
        "parameters": parameters,
        "inputs": {"type": "array", "items": {"anyOf": inputs}, "minItems": 1},
        "outputs": {"type": "array", "items": wanted},
    }
    answer: dict[str, Schema] = {
        "id": _TEXT,
        "model_name": {"const": info.name},
        "model_version": _TEXT,
        "outputs": {"type": "array", "items": {"anyOf": outputs}},
    }
    return {
        "InferRequest": _object(request_fields, optional=("id", "parameters", "outputs")),
        "InferAnswer": _object(answer, optional=("id",)),
    }


def _mlflow() -> dict[str, Schema]:
    frame = _object(
        {"columns": {"type": "array", "items": _TEXT}, "data": {"type": "array", "items": {"type": "array"}}}
    )
    rows: Schema = {"type": "array", "items": {"type": "object"}}
    forms: dict[str, Schema] = {
        "dataframe_split": frame,
        "dataframe_records": rows,
        "instances": rows,
        "inputs": {"anyOf": [rows, {"type": "object"}]},
    }
    return {
        "ScoringRequest": {"oneOf": [_object({form: schema}) for form, schema in forms.items()]},
        "Scored": _object({"predictions": _PREDICTIONS}),
    }
