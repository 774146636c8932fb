"""Decisions of prediction: refusals, retention, and webhooks: their signature, backoff and allowed addresses."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from interlock_contracts.predictions import PredictionState, RowFault
from interlock_modeling import InvalidRowsError
from interlock_modeling.served import Predictions

ENDED: frozenset[PredictionState] = frozenset({"completed", "failed", "cancelled", "expired"})
"""Final states; only the result of a completed prediction expires later."""

TOMBSTONE_RETENTION = timedelta(days=7)
"""How long the row of an expired prediction stays: until then, a redelivered request has no second effect."""

MAX_REPORTED_FAULTS = 100

WEBHOOK_BACKOFF = (2, 10, 60, 300, 1800, 7200)
"""Backoff of webhooks: seconds before the second to seventh attempt; after that the webhook has failed."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a prediction failed for good."""

    reason: str
    errors: Sequence[RowFault] = ()


def refusal_from(error: InvalidRowsError) -> Refusal:
    """Return the refusal of rows that do not fit the model."""
    first = error.errors[0]
    faults = [RowFault(row=each.row, column=each.column or None, message=each.message) for each in error.errors]
    return Refusal(f"{first.place}: {first.message}"[:2000], faults[:MAX_REPORTED_FAULTS])


def slice_predictions(predictions: Predictions, start: int, end: int) -> Predictions:
    """Return the predictions of rows ``start`` to ``end``, with row numbers counted from ``start``."""
    warnings = [
        type(each)(each.row - start, each.column, each.message)
        for each in predictions.warnings
        if start <= each.row < end
    ]
    return Predictions(predictions.values[start:end], predictions.scores[start:end], warnings)


def origin(url: str) -> str:
    """Return scheme, host and port of a URL; webhooks of one origin share a secret.

    Raises:
        ValueError: it is no HTTP URL, or it holds a user name and password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ValueError("a webhook is http://host… or https://host…, without user name and password")
    return f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def webhook_secret(master: bytes, url: str) -> str:
    """Return the secret that signs webhooks to this origin, in Standard Webhooks' form ``whsec_<base64>``."""
    derived = hmac.new(master, b"webhook|" + origin(url).encode(), hashlib.sha256).digest()
    return "whsec_" + base64.b64encode(derived).decode()


def webhook_signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header ``webhook-signature`` of Standard Webhooks 1.0: ``v1,<base64 HMAC-SHA256>``."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is public: global unicast, also where it is mapped into IPv6 (SSRF protection)."""
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if mapped is not None:
        return is_public(mapped)
    return address.is_global and not address.is_multicast


def next_attempt_at(attempts: int, now: datetime) -> datetime | None:
    """Return when to retry a webhook after so many failed attempts; None after the last."""
    if attempts > len(WEBHOOK_BACKOFF):
        return None
    return now + timedelta(seconds=WEBHOOK_BACKOFF[attempts - 1])
