"""What prediction decides: what an answer looks like, how long it is kept, when and how a webhook is told."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from urllib.parse import urlsplit

from interlock_contracts.predictions import PredictionState, RowFault
from interlock_modeling import InvalidRowsError
from interlock_modeling.served import Predictions
from interlock_modeling.signature import label_names

ENDED: frozenset[PredictionState] = frozenset({"completed", "failed", "cancelled", "expired"})
"""Nothing changes in these, but for a completed one's result, which expires."""

KEEP_AFTER_EXPIRY = timedelta(days=7)
"""How long an expired prediction is still known by name: a request that comes again by then has no second effect."""

FAULTS_TOLD = 100

WEBHOOK_WAITS = (2, 10, 60, 300, 1800, 7200)
"""Seconds before the second to seventh try of a webhook; after that it is given up."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a prediction failed for good."""

    reason: str
    errors: Sequence[RowFault] = ()


def refusal_of(error: InvalidRowsError) -> Refusal:
    """Return the refusal of rows that do not fit the model."""
    first = error.errors[0]
    faults = [RowFault(row=each.row, column=each.column or None, message=each.message) for each in error.errors]
    return Refusal(f"{first.place}: {first.message}"[:2000], faults[:FAULTS_TOLD])


def answer(
    prediction_id: str, model: str, version: int, labels: Sequence[Any] | None, predictions: Predictions
) -> dict[str, Any]:
    """Return the body that ``/predict`` would have answered; row ``i`` is called ``<id>/<i>``."""
    body: dict[str, Any] = {"id": prediction_id, "model": model, "version": version, "predictions": predictions.values}
    if labels is not None and predictions.probabilities is not None:
        names = label_names(labels)
        body["probabilities"] = [dict(zip(names, row, strict=True)) for row in predictions.probabilities.tolist()]
    if predictions.warnings:
        body["warnings"] = [
            {"row": each.row, "column": each.column, "message": each.message} for each in predictions.warnings
        ]
    return body


def part(predictions: Predictions, start: int, end: int) -> Predictions:
    """Return the predictions of the rows from ``start`` to ``end``, counted from their own first row."""
    warnings = [
        type(each)(each.row - start, each.column, each.message)
        for each in predictions.warnings
        if start <= each.row < end
    ]
    return Predictions(predictions.values[start:end], predictions.scores[start:end], warnings)


def origin(url: str) -> str:
    """Return scheme, host and port of an address; webhooks of one origin share a secret.

    Raises:
        ValueError: it is no address of a web server, or it has a name and password in it.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ValueError("a webhook is http://host… or https://host…, without a name and password")
    return f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def webhook_secret(master: bytes, url: str) -> str:
    """Return the secret that signs what is sent to this origin, as Standard Webhooks write it: ``whsec_<base64>``."""
    derived = hmac.new(master, b"webhook|" + origin(url).encode(), hashlib.sha256).digest()
    return "whsec_" + base64.b64encode(derived).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header ``webhook-signature`` of Standard Webhooks 1.0: ``v1,<base64 HMAC-SHA256>``."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether a webhook may go to this address: one of the open internet, and no other's in disguise."""
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if mapped is not None:
        return is_public(mapped)
    return address.is_global and not address.is_multicast


def next_try(attempts: int, now: datetime) -> datetime | None:
    """Return when to try a webhook again after so many failed attempts; None when it is given up."""
    if attempts > len(WEBHOOK_WAITS):
        return None
    return now + timedelta(seconds=WEBHOOK_WAITS[attempts - 1])
