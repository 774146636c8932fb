"""Tells those who wanted to be told: signed as Standard Webhooks say, tried again, never where nobody may look."""

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
from interlock_prediction.domain import is_public, next_try, signature, webhook_secret
from interlock_prediction.store import PredictionRow, WebhookRow

logger = logging.getLogger(__name__)

AT_ONCE = 50
PATIENCE = httpx.Timeout(10.0, connect=5.0)
LONGEST_SECONDS = 15.0
"""All of one try: a receiver may not hold us by answering a byte now and then."""

LEASE = timedelta(seconds=LONGEST_SECONDS + 5)
"""How long a try is nobody else's; a replica that dies in it leaves the webhook to the others after that."""


class ForbiddenAddressError(Exception):
    """The webhook leads where none may go; no repeat will change that."""


class Webhooks:
    """Sends what waits in the table; ``private`` allows addresses that are not of the open internet."""

    def __init__(self, bus: Bus, master: bytes, *, private: bool) -> None:
        self._bus = bus
        self._master = master
        self._private = private

    async def tell(self) -> None:
        """Tell all who are due; each try and what came of it is written down.

        Receivers are waited for between two transactions, not in one: a slow one holds no lock and no connection.
        A replica that dies in between tells again after the lease, under the same id.
        """
        told = AT_ONCE
        while told == AT_ONCE:
            async with self._bus.transaction() as session:
                due = await store.claim_webhooks(session, AT_ONCE, datetime.now(UTC), LEASE)
            outcomes = await asyncio.gather(*(self._try(hook, row) for hook, row in due), return_exceptions=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
            told = len(due)

    async def _try(self, hook: WebhookRow, row: PredictionRow) -> None:
        await self._told(hook, row)
        if hook.error is not None:
            logger.warning("webhook of %s: %s", hook.prediction_id, hook.error)
        async with self._bus.transaction() as session:
            await store.note_told(session, hook)

    async def _told(self, hook: WebhookRow, row: PredictionRow) -> None:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                hook.status = await self._post(hook.url, row.prediction_id, message(row))
                crash_point("prediction.webhook.posted")
        except ForbiddenAddressError as error:
            hook.state, hook.error = "failed", str(error)
            return
        except (ValueError, httpx.InvalidURL) as error:  # no address at all: no repeat will change that either
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
        again = next_try(hook.attempts, now)
        if again is None:
            hook.state = "failed"
        else:
            hook.not_before = again

    async def _post(self, url: str, prediction_id: UUID, body: bytes) -> int:
        """Send one message to one checked address, so that a name cannot lead elsewhere after the check."""
        host = urlsplit(url).hostname or ""
        timestamp, message_id = int(time()), f"msg_{prediction_id.hex}"
        headers = {
            "host": urlsplit(url).netloc,
            "content-type": "application/json",
            "user-agent": "interlock",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(webhook_secret(self._master, url), message_id, timestamp, body),
        }
        address = await self._address(url)
        shown = f"[{address}]" if ":" in address else address
        pinned = httpx.URL(url).copy_with(host=shown)
        async with (
            httpx.AsyncClient(timeout=PATIENCE, trust_env=False, follow_redirects=False, verify=_TRUSTED) as client,
            client.stream("POST", pinned, content=body, headers=headers, extensions={"sni_hostname": host}) as answer,
        ):
            return answer.status_code  # what it says besides is not read

    async def _address(self, url: str) -> str:
        """Return the address to connect to.

        Raises:
            ForbiddenAddressError: any address of that name is not public.
            OSError: the name has none.
        """
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(parts.hostname, parts.port or parts.scheme, type=socket.SOCK_STREAM)
        addresses: Sequence[str] = [str(each[4][0]) for each in found]
        for address in addresses:
            if not self._private and not is_public(ipaddress.ip_address(address.partition("%")[0])):
                raise ForbiddenAddressError(f"{parts.hostname} is {address}, which is not a public address")
        return addresses[0]


_TRUSTED = ssl.create_default_context()


def message(row: PredictionRow) -> bytes:
    """Return what a webhook says: the same fact as the event, with the answer where it is small."""
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
