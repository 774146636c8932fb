"""Sampler of the prediction log: asynchronous predictions, recorded in the transaction of their results."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import numpy as np
from interlock_contracts.predictions import LoggedPrediction, PredictionLogged, sampled
from interlock_serving.slot import ServedModel
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_prediction import prediction_log

BURST_ROWS = 10_000
"""Capacity of a model's token bucket, in rows."""

ROWS_PER_STATEMENT = 1000
"""Rows of one INSERT."""


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
        self._rate = rows_per_second
        self._burst = burst
        self._buckets: dict[str, tuple[float, float]] = {}

    async def record(self, session: AsyncSession, answered: Sequence[AnsweredRequest]) -> None:
        """Record the sample in the transaction of the results, and count what is not in it."""
        if not self._ratio:
            return
        by_version: defaultdict[tuple[str, int], list[AnsweredRequest]] = defaultdict(list)
        for each in answered:
            by_version[each.model, each.serving.version].append(each)
        # In one order everywhere, so that two replicas that count for the same versions cannot deadlock.
        for key in sorted(by_version):
            for event in self._events(by_version[key]):
                await prediction_log.record_logged(session, event)

    def _events(self, answered: Sequence[AnsweredRequest]) -> Iterator[PredictionLogged]:
        first, now = answered[0], datetime.now(UTC)
        rows = [row for each in answered if sampled(each.id, self._ratio) for row in _rows(each, now)]
        taken = self._acquire(first.model, len(rows))
        signature = first.serving.model.signature
        for start in range(0, max(taken, 1), ROWS_PER_STATEMENT):
            # The event that gateways publish, recorded without the bus; its values need no validation.
            yield PredictionLogged.model_construct(
                model=first.model,
                version=first.serving.version,
                promotion_seq=first.serving.promotion_seq,
                worker=self._replica,
                until=now,
                ratio=self._ratio,
                answered=0 if start else sum(len(each.rows) for each in answered),
                dropped=0 if start else len(rows) - taken,
                features=[feature.name for feature in signature.features],
                labels=signature.labels,
                rows=rows[start : min(start + ROWS_PER_STATEMENT, taken)],
            )

    def _acquire(self, model: str, wanted: int) -> int:
        """Take up to ``wanted`` tokens of the model's bucket; return how many."""
        now = monotonic()
        tokens, since = self._buckets.get(model, (self._burst, now))
        tokens = min(tokens + (now - since) * self._rate, self._burst)
        taken = min(wanted, int(tokens))
        self._buckets[model] = tokens - taken, now
        return taken


def _rows(answered: AnsweredRequest, now: datetime) -> Iterator[LoggedPrediction]:
    signature = answered.serving.model.signature
    names, labels = [feature.name for feature in signature.features], signature.labels
    for index, (row, score) in enumerate(zip(answered.rows, answered.scores.tolist(), strict=True)):
        yield LoggedPrediction.model_construct(
            prediction=f"{answered.id}/{index}",
            at=now,
            values=[row.get(name) for name in names],
            answer=score if labels is None else labels[score.index(max(score))],
            probabilities=None if labels is None else score,
        )
