"""What users do meanwhile: requests whose effects can be counted from outside, written down before they are made."""

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
from interlock_contracts.event import Envelope, Event
from interlock_contracts.models import RollbackRequested
from interlock_contracts.predictions import prediction_id
from interlock_contracts.training import RetrainRequested

from tests.chaos.bus import Consumer, Publisher
from tests.chaos.ledger import Asked, Kind, Ledger
from tests.chaos.scene import ASK, Scene, csv

AT_ONCE = 24
LONGEST = 1.2
"""How much longer than asked a load may go on, where outages kept it from being acknowledged."""


class Workload:
    """Asks ``events`` things over ``seconds``, at a pace that makes up for what an outage held up."""

    def __init__(self, scene: Scene, ledger: Ledger, publisher: Publisher, consumer: Consumer, *, seed: int) -> None:
        self._scene = scene
        self._ledger = ledger
        self._publisher = publisher
        self._ear = consumer
        self._random = random.Random(seed)
        self._http = scene.stack.client()
        self._uploads = 0
        self._growing: dict[str, int] = dict.fromkeys(scene.grown, 0)
        self._ways: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (58, self.predict_later),
            (12, self.retrain),
            (10, self.roll_back_by_event),
            (4, self.roll_back_over_rest),
            (13, self.tell_truth),
            (1, self.upload),
            (2, self.train),
        ]

    async def run(self, *, seconds: float, events: int) -> None:
        """Ask until the time is over and so many are acknowledged, at most ``LONGEST`` times as long."""
        begin, busy = time.monotonic(), set[asyncio.Task[None]]()
        weights, ways = zip(*self._ways, strict=True)
        try:
            async with asyncio.TaskGroup() as asking:
                while (past := time.monotonic() - begin) < seconds * LONGEST:
                    left = events - self._ledger.acknowledged
                    if past > seconds and left <= 0:
                        break
                    (way,) = self._random.choices(ways, weights)
                    busy.add(task := asking.create_task(_guarded(way)))
                    task.add_done_callback(busy.discard)
                    while len(busy) >= AT_ONCE:
                        await asyncio.wait(busy, return_when=asyncio.FIRST_COMPLETED)
                    await asyncio.sleep(min(0.5, max(seconds - past, 1) / max(left, 1)))
        finally:
            await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def predict_later(self) -> None:
        model, key = self._random.choice(self._scene.rolled), uuid4().hex
        asked = self._ledger.ask("prediction", model, str(prediction_id(model, key)))
        path = f"/models/{model}/predictions"
        await self._post(asked, path, json=ASK, headers={"Idempotency-Key": key})

    async def retrain(self) -> None:
        """Ask for a training that cannot be: the run ends at once, and says so."""
        await self._say("retrain", RetrainRequested(model=self._scene.empty, reason="chaos"))

    async def roll_back_by_event(self, *, copies: int | None = None) -> None:
        await self._say("rollback", RollbackRequested(model=self._random.choice(self._scene.rolled)), copies)

    async def roll_back_over_rest(self) -> None:
        model = self._random.choice(self._scene.rolled)
        asked = self._ledger.ask("rollback", model, None)
        answer = await self._post(asked, f"/models/{model}/rollback", json={})
        if answer is not None and asked.acknowledged:
            asked.key = f"{model}/{answer.json()['promotion_seq']}"

    async def tell_truth(self) -> None:
        asked = self._ledger.ask("feedback", self._scene.empty, uuid4().hex)
        told = {"feedback": [{"prediction": f"{uuid4()}/0", "actual": 1.0}]}
        await self._post(asked, f"/models/{self._scene.empty}/feedback", json=told)

    async def upload(self) -> None:
        self._uploads += 1
        body = csv(self._uploads + self._random.randrange(10**9) * 1000)
        asked = self._ledger.ask("upload", self._scene.filled, hashlib.sha256(body).hexdigest())
        await self._post(asked, f"/datasets/{self._scene.filled}", content=body, headers={"Content-Type": "text/csv"})

    async def train(self) -> None:
        """Say that a model is trained: it is registered, measured, and promoted, by three services in turn."""
        model = self._random.choice(self._scene.grown)
        self._growing[model] += 1
        run = uuid4()
        asked = self._ledger.ask("version", model, str(run))
        try:
            asked.acknowledged, asked.why = await self._scene.trained(model, self._growing[model], run), "no confirm"
        except (OSError, TimeoutError) as error:  # the object store is down: nothing was said
            asked.why = type(error).__name__

    async def _post(self, asked: Asked, path: str, **content: Any) -> httpx.Response | None:
        try:
            answer = await self._http.post(path, **content)
        except httpx.TransportError as error:
            asked.why = type(error).__name__
            return None
        asked.acknowledged, asked.why = answer.is_success, f"{answer.status_code} {answer.text[:200]}"
        return answer

    async def _say(self, kind: Kind, event: Event, copies: int | None = None) -> None:
        """Say an event as people outside do; some of them say it twice or three times."""
        envelope = Envelope.of(event, source="chaos", cause=str(uuid4()), now=datetime.now(UTC))
        asked = self._ledger.ask(kind, getattr(event, "model", ""), envelope.id)
        headers: dict[str, Any] = dict(envelope.headers())
        for _ in range(self._random.choice((0, 0, 1, 2)) if copies is None else copies):
            self._ear.again(event.type, event.body(), headers)
        asked.acknowledged, asked.why = await self._publisher.publish(event.type, event.body(), headers), "no confirm"


async def _guarded(way: Callable[[], Awaitable[None]]) -> None:
    """Let nothing that one request meets end the run; an error of ours would, and must be seen."""
    try:
        await way()
    except (httpx.HTTPError, ConnectionError, TimeoutError) as error:
        print(f"{way.__name__}: {type(error).__name__}: {error}")
