"""Pure decision functions and views: request limits, answer ids, a worker's own status."""

from secrets import token_hex
from typing import Annotated, Any
from uuid import uuid4, uuid5

import msgspec
from interlock_contracts.event import NAMESPACE
from interlock_contracts.predictions import MAX_ROWS
from interlock_contracts.refs import Name
from msgspec import Meta
from pydantic import TypeAdapter, ValidationError

BODY_LIMIT = 10 * 1024 * 1024
"""Largest body of a request for predictions, in bytes."""

PREDICT_PREFIX, PREDICT_SUFFIX = "/models/", "/predict"
"""What stands around a model's name in the address of predictions."""

_NAME: TypeAdapter[str] = TypeAdapter(Name)


def predicted_model(method: str, path: str) -> str | None:
    """Return which model a request asks for a prediction, by whatever name; None where it asks for something else."""
    if method == "POST" and path.startswith(PREDICT_PREFIX) and path.endswith(PREDICT_SUFFIX):
        return path[len(PREDICT_PREFIX) : -len(PREDICT_SUFFIX)]
    return None


_ROWS = {"items": {"type": "object"}, "minItems": 1, "maxItems": MAX_ROWS}
"""For documents; what does not fit is refused in words that say more than a decoder's."""


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a prediction; rows are checked against the model's signature, not here."""

    rows: Annotated[list[Any], Meta(extra_json_schema=_ROWS)]


_AT_ONCE = 64
_digits: list[str] = []


def prediction_id() -> str:
    """Return a random UUID; 120 bits that nobody guesses, asked of the system for many at once."""
    try:
        digits = _digits.pop()
    except IndexError:
        digits = token_hex(16)
        more = token_hex(16 * _AT_ONCE)
        _digits.extend(more[start : start + 32] for start in range(0, len(more), 32))
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class SlotView(msgspec.Struct):
    """One model in a worker: what serves, and why what should serve does not."""

    name: str
    version: int | None
    promotion_seq: int | None
    failure: str | None


class LogView(msgspec.Struct):
    """What one worker's prediction log has published so far, in rows; ``ratio`` of all requests are in the sample."""

    ratio: float
    answered: int
    logged: int
    dropped: int


class WorkerView(msgspec.Struct):
    """What one worker serves, and whether it consumes promotions or only reconciles with the registry."""

    worker: str
    consuming: bool = msgspec.field(name="hears")
    models: list[SlotView]
    log: LogView


def is_name(text: str) -> bool:
    """Return whether a model may be called so."""
    try:
        _NAME.validate_python(text)
    except ValidationError:
        return False
    return True


def retrain_cause(model: str, idempotency_key: str | None) -> str:
    """Return the cause of a retrain request: the same for every repeat with the same key, so one run answers them."""
    return str(uuid5(NAMESPACE, f"retrain|{model}|{idempotency_key}") if idempotency_key else uuid4())
