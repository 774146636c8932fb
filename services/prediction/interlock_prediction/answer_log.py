"""The service's own answers in the prediction log: sampled as a gateway worker samples, written with the answers."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import numpy as np
from interlock_contracts.predictions import LoggedPrediction, PredictionLogged, sampled
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_prediction import prediction_log
from interlock_prediction.models import Resident

BURST_ROWS = 10_000
"""Rows of one model that find room at once."""

AT_ONCE = 1000
"""Rows that are written by one statement."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One answered request by its name; ``scores`` are [n] or [n, k], as the engine gave them."""

    name: str
    model: str
    serving: Resident
    rows: Sequence[Any]
    scores: NDArray[np.float64]


class AnswerLog:
    """Samples what one replica answers: ``ratio`` of all requests, in the long run ``rows_per_second`` of a model."""

    def __init__(self, replica: str, *, ratio: float, rows_per_second: float, burst: int = BURST_ROWS) -> None:
        self._replica = replica
        self._ratio = ratio
        self._rate = rows_per_second
        self._burst = burst
        self._room: dict[str, tuple[float, float]] = {}

    async def keep(self, session: AsyncSession, answered: Sequence[Answered]) -> None:
        """Write the sample down in the transaction of the answers, and count what is not in it."""
        if not self._ratio:
            return
        by_version: defaultdict[tuple[str, int], list[Answered]] = defaultdict(list)
        for each in answered:
            by_version[each.model, each.serving.version].append(each)
        # In one order everywhere, so that two replicas that count for the same versions cannot block each other.
        for key in sorted(by_version):
            for event in self._events(by_version[key]):
                await prediction_log.keep_logged(session, event)

    def _events(self, answered: Sequence[Answered]) -> Iterator[PredictionLogged]:
        first, now = answered[0], datetime.now(UTC)
        rows = [row for each in answered if sampled(each.name, self._ratio) for row in _rows(each, now)]
        kept = self._take(first.model, len(rows))
        signature = first.serving.model.signature
        for start in range(0, max(kept, 1), AT_ONCE):
            # In the form that gateways say it, but written down right here, and of values that need no check.
            yield PredictionLogged.model_construct(
                model=first.model,
                version=first.serving.version,
                promotion_seq=first.serving.seq,
                worker=self._replica,
                until=now,
                ratio=self._ratio,
                answered=0 if start else sum(len(each.rows) for each in answered),
                dropped=0 if start else len(rows) - kept,
                features=[feature.name for feature in signature.features],
                labels=signature.labels,
                rows=rows[start : min(start + AT_ONCE, kept)],
            )

    def _take(self, model: str, wanted: int) -> int:
        """Return how many of the rows wanted find room, and take it."""
        now = monotonic()
        room, since = self._room.get(model, (self._burst, now))
        room = min(room + (now - since) * self._rate, self._burst)
        taken = min(wanted, int(room))
        self._room[model] = room - taken, now
        return taken


def _rows(answered: Answered, now: datetime) -> Iterator[LoggedPrediction]:
    signature = answered.serving.model.signature
    names, labels = [feature.name for feature in signature.features], signature.labels
    for index, (row, score) in enumerate(zip(answered.rows, answered.scores.tolist(), strict=True)):
        yield LoggedPrediction.model_construct(
            prediction=f"{answered.name}/{index}",
            at=now,
            values=[row.get(name) for name in names],
            answer=score if labels is None else labels[score.index(max(score))],
            probabilities=None if labels is None else score,
        )
