"""Sampler of the prediction log: asynchronous predictions, logged if and only if their results are recorded."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count, islice
from typing import Any

import numpy as np
from interlock_contracts.event import UNTRACED
from interlock_contracts.predictions import PredictionLogged, sampled
from interlock_messaging.outbox import OutboxEntry, enqueue_all
from interlock_runtime.token_bucket import TokenBuckets
from interlock_serving.prediction_log import LoggedVersion
from interlock_serving.slot import ServedModel
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncSession

BURST_ROWS = 10_000
"""Capacity of a model's token bucket, in rows."""


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """One answered request by its id; ``scores`` are [n] or [n, k], as the engine gave them."""

    id: str
    model: str
    serving: ServedModel
    rows: Sequence[Any]
    scores: NDArray[np.float64]


class PredictionSampler:
    """Samples ``ratio`` of a replica's requests, limited to ``rows_per_second`` of each model by a token bucket."""

    def __init__(self, replica: str, *, ratio: float, rows_per_second: float, burst: int = BURST_ROWS) -> None:
        self._replica = replica
        self._ratio = ratio
        self._buckets = TokenBuckets(rows_per_second, burst)
        self._numbers = count()

    async def record(self, session: AsyncSession, answered: Sequence[AnsweredRequest]) -> None:
        """Enqueue the sample in the transaction of the results, with the count of what is not in it."""
        if not self._ratio:
            return
        by_version: defaultdict[tuple[str, int], list[AnsweredRequest]] = defaultdict(list)
        for each in answered:
            by_version[each.model, each.serving.version].append(each)
        cause = f"log/{self._replica}"
        entries = [
            OutboxEntry(event, cause, next(self._numbers), UNTRACED)
            for requests in by_version.values()
            for event in self._events(requests)
        ]
        await enqueue_all(session, entries, source="prediction")

    def _events(self, answered: Sequence[AnsweredRequest]) -> Iterator[PredictionLogged]:
        first, now = answered[0], datetime.now(UTC)
        version = LoggedVersion(
            first.model,
            first.serving.version,
            first.serving.promotion_seq,
            first.serving.model.signature,
            self._replica,
            self._ratio,
        )
        chosen = [each for each in answered if sampled(each.id, self._ratio)]
        wanted = sum(len(each.rows) for each in chosen)
        taken = self._buckets.take(first.model, wanted)
        rows = chain.from_iterable(version.rows(each.id, now, each.rows, each.scores.tolist()) for each in chosen)
        return version.events(
            islice(rows, taken), answered=sum(len(each.rows) for each in answered), dropped=wanted - taken
        )
