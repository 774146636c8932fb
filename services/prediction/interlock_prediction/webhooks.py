"""Webhook delivery: signed by Standard Webhooks, retried with backoff, never to private addresses (no SSRF)."""

import asyncio
import ipaddress
import logging
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import time
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import msgspec
from interlock_messaging import Bus
from interlock_messaging.crash_points import crash_point

from interlock_prediction import store
from interlock_prediction.domain import is_public, next_attempt_at, webhook_secret, webhook_signature
from interlock_prediction.store import PredictionRow, WebhookRow

logger = logging.getLogger(__name__)

CLAIM_LIMIT = 50
REQUEST_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
ATTEMPT_SECONDS = 15.0
"""Time limit of a whole attempt, against receivers that answer a byte now and then."""

LEASE = timedelta(seconds=ATTEMPT_SECONDS + 5)
"""Lease of an attempt; if the replica dies, another claims the webhook after that."""


class ForbiddenAddressError(Exception):
    """The webhook leads to a forbidden address; it is not retried."""


class WebhookSender:
    """Delivers due webhooks; ``private`` allows addresses that are not public."""

    def __init__(self, bus: Bus, master: bytes, *, private: bool) -> None:
        self._bus = bus
        self._master = master
        self._private = private

    def secret(self, url: str) -> str:
        """Return the secret that signs webhooks to the origin of ``url``; ValueError where that is no URL."""
        return webhook_secret(self._master, url)

    async def deliver_due(self) -> None:
        """Claim the due webhooks, attempt each, and record the outcome.

        Requests are sent between two transactions, so that a slow receiver holds no lock and no connection. After a
        crash in between, the webhook is delivered again once its lease has expired, under the same id.
        """
        claimed = CLAIM_LIMIT
        while claimed == CLAIM_LIMIT:
            async with self._bus.transaction() as session:
                due = await store.claim_webhooks(session, CLAIM_LIMIT, LEASE)
            outcomes = await asyncio.gather(*(self._attempt(hook, row) for hook, row in due), return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
            claimed = len(due)

    async def _attempt(self, hook: WebhookRow, row: PredictionRow) -> None:
        await self._deliver(hook, row)
        if hook.error is not None:
            logger.warning("webhook of %s: %s", hook.prediction_id, hook.error)
        async with self._bus.transaction() as session:
            await store.record_attempt(session, hook)

    async def _deliver(self, hook: WebhookRow, row: PredictionRow) -> None:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                hook.status = await self._post(hook.url, row.prediction_id, payload(row))
                crash_point("prediction.webhook.posted")
        except ForbiddenAddressError as error:
            hook.state, hook.error = "failed", str(error)
            return
        except (ValueError, httpx.InvalidURL) as error:  # not a URL: not retried either
            hook.state, hook.error = "failed", f"{type(error).__name__}: {error}"[:500]
            return
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            hook.status, hook.error = None, f"{type(error).__name__}: {error}"[:500]
        else:
            hook.error = None if hook.status // 100 == 2 else f"the receiver answered {hook.status}"  # noqa: PLR2004
        now = datetime.now(UTC)
        if hook.error is None:
            hook.state, hook.delivered_at = "delivered", now
            return
        retry_at = next_attempt_at(hook.attempts, now)
        if retry_at is None:
            hook.state = "failed"
        else:
            hook.not_before = retry_at

    async def _post(self, url: str, prediction_id: UUID, body: bytes) -> int:
        """Post one message to the address that was checked: no second DNS lookup can lead elsewhere."""
        host = urlsplit(url).hostname or ""
        timestamp, message_id = int(time()), f"msg_{prediction_id.hex}"
        headers = {
            "host": urlsplit(url).netloc,
            "content-type": "application/json",
            "user-agent": "interlock",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": webhook_signature(self.secret(url), message_id, timestamp, body),
        }
        address = await self._resolve(url)
        shown = f"[{address}]" if ":" in address else address
        pinned = httpx.URL(url).copy_with(host=shown)
        async with (
            httpx.AsyncClient(timeout=REQUEST_TIMEOUT, trust_env=False, follow_redirects=False, verify=_TLS) as client,
            client.stream("POST", pinned, content=body, headers=headers, extensions={"sni_hostname": host}) as response,
        ):
            return response.status_code  # the body is not read

    async def _resolve(self, url: str) -> str:
        """Return the address to connect to.

        Raises:
            ForbiddenAddressError: any address of the host is not public.
            OSError: the host has no address.
        """
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(parts.hostname, parts.port or parts.scheme, type=socket.SOCK_STREAM)
        addresses: Sequence[str] = [str(each[4][0]) for each in found]
        for address in addresses:
            if not self._private and not is_public(ipaddress.ip_address(address.partition("%")[0])):
                raise ForbiddenAddressError(f"{parts.hostname} is {address}, which is not a public address")
        return addresses[0]


_TLS = ssl.create_default_context()


def payload(row: PredictionRow) -> bytes:
    """Return the body of a webhook: the same fact as the event, with the answer where it is small."""
    data = {
        "id": str(row.prediction_id),
        "model": row.model,
        "state": row.state,
        "version": row.version,
        "answer": msgspec.Raw(row.answer) if row.answer is not None else None,
        "reason": row.reason,
        "errors": row.errors or [],
        "prediction": f"/predictions/{row.prediction_id}",
    }
    when = row.ended_at or datetime.now(UTC)
    return msgspec.json.encode({"type": f"prediction.{row.state}", "timestamp": when, "data": data})
