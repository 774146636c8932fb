"""Feedback (ground truth): validated as far as the gateway can, then published with confirms."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4, uuid5

from interlock_contracts.event import NAMESPACE
from interlock_contracts.http import ModelView
from interlock_contracts.predictions import Feedback, FeedbackReceived, RowName, sampled
from interlock_contracts.quality import FeedbackAccepted, FeedbackRequest, FeedbackWarning
from interlock_messaging import Bus
from interlock_modeling.signature import ModelSignature
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from interlock_serving.manager import ModelManager
from interlock_tables.locales import read
from interlock_tables.spellings import BadCellError, Kind
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody
from pydantic import TypeAdapter, ValidationError

from interlock_gateway.inference.resolve import known_model
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.observe.prediction_log import PredictionLog
from interlock_gateway.proxy.upstreams import Upstreams

EVENT_ENTRIES = 1000
MAX_LISTED = 20
"""Faults and warnings listed for one request."""

MAX_TEXT_LENGTH = 1000

_ROW_NAME: TypeAdapter[str] = TypeAdapter(RowName)


@post("/models/{name:str}/feedback", status_code=202, opt={SCOPE: "predict"})
async def give_feedback(
    name: FromPath[str],
    *,
    manager: NamedDependency[ModelManager[BatchedModel]],
    upstreams: NamedDependency[Upstreams],
    bus: NamedDependency[Bus],
    log: NamedDependency[PredictionLog],
    data: JSONBody[FeedbackRequest],
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", max_length=200)] = None,
) -> FeedbackAccepted:
    """Send ground truth; of several values for one row the newest counts.

    A repeat with the same ``Idempotency-Key`` counts once. 404 for an unknown model, 422 with the entry and field
    that do not fit, 503 when the bus is down.
    """
    champion = manager.champion(name)
    if champion is not None:
        signature: ModelSignature | None = champion.model.signature
    else:
        signature = _signature_of(await known_model(name, upstreams.registry))
    feedback, warnings = checked(data.feedback, signature)
    cause = str(uuid5(NAMESPACE, f"feedback|{name}|{idempotency_key}") if idempotency_key else uuid4())
    now = datetime.now(UTC)
    for n, start in enumerate(range(0, len(feedback), EVENT_ENTRIES)):
        event = FeedbackReceived(model=name, feedback=feedback[start : start + EVENT_ENTRIES], at=now)
        await bus.publish(event, cause=cause, n=n)
    ratio = log.view.ratio
    unsampled = sum(not sampled(each.prediction.partition("/")[0], ratio) for each in feedback)
    return FeedbackAccepted(accepted=len(feedback), unsampled=unsampled, warnings=warnings[:MAX_LISTED])


def checked(
    entries: Sequence[dict[str, Any]], signature: ModelSignature | None
) -> tuple[list[Feedback], list[FeedbackWarning]]:
    """Return the entries as feedback, with warnings; without a signature any scalar may be an actual value.

    Raises:
        ProblemDetailsException: 422 with every fault, its row (entries count from 0) and field.
    """
    feedback: list[Feedback] = []
    warnings: list[FeedbackWarning] = []
    faults: list[dict[str, Any]] = []
    for row, entry in enumerate(entries):
        field, fault = _fault(entry, signature)
        if fault is not None:
            faults.append({"row": row, "field": field, "message": fault})
            continue
        actual = _as_actual(entry["actual"], signature)
        if not _is_known(actual, signature):
            text = f"{actual!r} is none of the labels that the serving version knows, so it counts as a miss"
            warnings.append(FeedbackWarning(row=row, field="actual", message=text))
        feedback.append(Feedback(prediction=entry["prediction"], actual=actual))
    if faults:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        detail = f"row {first['row']}, field {first['field']}: {first['message']}{more}"
        raise problem(422, "The feedback does not fit", detail, errors=faults[:MAX_LISTED])
    return feedback, warnings


def _fault(entry: dict[str, Any], signature: ModelSignature | None) -> tuple[str, str | None]:
    """Return the field that is wrong with an entry, and what would be right."""
    for name in ("prediction", "actual"):
        if name not in entry:
            return name, "is missing"
    odd = next((name for name in entry if name not in ("prediction", "actual")), None)
    if odd is not None:
        return odd, "there is no such field; an entry has 'prediction' and 'actual'"
    try:
        _ROW_NAME.validate_python(entry["prediction"], strict=True)
    except ValidationError:
        return "prediction", "must be '<id>/<i>': the answer's id and the row's place in it, from 0"
    return "actual", _unfit(entry["actual"], signature)


def _unfit(actual: Any, signature: ModelSignature | None) -> str | None:
    labels = signature.labels if signature is not None else None
    if isinstance(actual, str) and ("\0" in actual or len(actual) > MAX_TEXT_LENGTH):
        return f"must have at most {MAX_TEXT_LENGTH} characters, none of them NUL"
    if isinstance(actual, int | float) and not _is_finite(actual):
        return "must be a finite number"
    if labels is not None:
        kinds = {type(label) for label in labels}
        shown = ", ".join(repr(label) for label in labels[:8]) + (", …" if len(labels) > 8 else "")  # noqa: PLR2004
        return None if type(_as_actual(actual, signature)) in kinds else f"must be a label such as {shown}"
    if signature is not None:
        return None if type(_as_actual(actual, signature)) in (int, float) else "must be a number"
    return None if type(actual) in (int, float, bool, str) else "must be a number or a label"


def _as_actual(actual: Any, signature: ModelSignature | None) -> Any:
    """Return an actual value as the data has it: read by the table of spellings as a cell of the target is."""
    if signature is None or (signature.labels is None and not isinstance(actual, str)):
        return actual
    try:
        kind: Kind = "number" if signature.labels is None else _KINDS[type(signature.labels[0])]
        return read(kind, actual, signature.locale)
    except BadCellError:
        return actual


_KINDS: dict[type, Kind] = {bool: "boolean", int: "integer", str: "category"}


def _signature_of(model: ModelView | None) -> ModelSignature | None:
    """Return the signature of what serves, as the registry has it; None where it has none that is understood here."""
    if model is None or model.signature is None:
        return None
    try:
        return ModelSignature.model_validate(model.signature)
    except ValidationError:  # of a version that was trained by a newer release
        return None


def _is_known(actual: Any, signature: ModelSignature | None) -> bool:
    if signature is None or signature.labels is None:
        return True
    return any(type(label) is type(actual) and label == actual for label in signature.labels)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
