"""Ground truth in, live quality out."""

from collections.abc import Iterable
from typing import Any

from interlock_contracts.quality import ErasedView, FeedbackAccepted, FeedbackWarning, QualityView

from interlock_client.errors import RefusedError
from interlock_client.flows import Flow, Request, get, parsed, post, read
from interlock_client.frames import cells

ERASE_TIMEOUT = 600.0
"""Seconds; a whole model's log is read through."""

CHUNK_ENTRIES = 5000
"""Entries in one request; the gateway takes twice as many."""


def feedback(model: str, predictions: str | Iterable[str], actuals: Any) -> Flow[FeedbackAccepted]:
    """Send what turned out to be true: one prediction's id and value, or as many values as ids, in the same order.

    An id is ``prediction_id`` of a predicted frame, ``id`` of a predicted row. The newest value for a row counts.

    Raises:
        ValueError: there are not as many values as ids, or none.
        RefusedError: entries do not fit; its notes say how many were taken before.
    """
    if isinstance(predictions, str):
        predictions, actuals = [predictions], [actuals]
    ids, values = list(predictions), cells("actuals", actuals)
    if not ids or len(ids) != len(values):
        raise ValueError(f"there are {len(ids)} predictions and {len(values)} actual values")
    accepted = unsampled = 0
    warnings: list[FeedbackWarning] = []
    for begin in range(0, len(ids), CHUNK_ENTRIES):
        part = zip(ids[begin : begin + CHUNK_ENTRIES], values[begin : begin + CHUNK_ENTRIES], strict=True)
        body = {"feedback": [{"prediction": each, "actual": actual} for each, actual in part]}
        try:
            sent = yield from post(f"/models/{model}/feedback", body, idempotent=True)
        except RefusedError as error:
            if begin:
                error.add_note(
                    f"the first {begin} entries were accepted; row numbers are relative to this request,"
                    f" which begins at row {begin}"
                )
            raise
        answer = parsed(FeedbackAccepted, sent)
        accepted, unsampled = accepted + answer.accepted, unsampled + answer.unsampled
        warnings += [each.model_copy(update={"row": each.row + begin}) for each in answer.warnings]
    return FeedbackAccepted(accepted=accepted, unsampled=unsampled, warnings=warnings)


def erase(model: str, column: str, value: str | float) -> Flow[ErasedView]:
    """Erase every logged row of a model whose ``column`` has ``value``, with its ground truth, and return how many."""
    body = {"column": column, "value": value}
    request = Request("POST", f"/models/{model}/predictions/erase", json=body, timeout=ERASE_TIMEOUT)
    return (yield from read(ErasedView, request))


def quality(model: str, *, window: str = "24h", bucket: str | None = None) -> Flow[QualityView]:
    """Return metrics by version over the predictions whose ground truth is known.

    ``window`` is a number with m, h or d; ``bucket`` splits it as well.
    """
    return (yield from get(QualityView, f"/models/{model}/quality", window=window, bucket=bucket))
