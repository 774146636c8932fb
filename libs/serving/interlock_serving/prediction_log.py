"""Events of the prediction log: the sampled answers of one version, split so that none is large."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from interlock_contracts.predictions import LoggedPrediction, PredictionLogged
from interlock_modeling.signature import ModelSignature, place_of

EVENT_ROWS = 100
"""Making an event of so many rows takes the event loop less than a millisecond."""

EVENT_BYTES = 256 * 1024
"""Feature values of one event as JSON; a row that is larger by itself is dropped, and counted."""


@dataclass(frozen=True, slots=True)
class LoggedVersion:
    """One promoted version as one worker logs it; holds on to the signature, not to the model.

    ``ratio`` is the share of requests that are sampled.
    """

    model: str
    version: int
    promotion_seq: int
    signature: ModelSignature
    worker: str
    ratio: float

    def rows(
        self, request_id: str, at: datetime, rows: Sequence[Mapping[str, Any]], scores: Iterable[Any]
    ) -> Iterator[LoggedPrediction]:
        """Yield the logged rows of one request: as many as ``scores``, each a number or one for each label."""
        names, labels = [feature.name for feature in self.signature.features], self.signature.labels
        threshold = self.signature.threshold
        for index, score in enumerate(scores):
            yield LoggedPrediction.model_construct(  # of values that need no check
                prediction=f"{request_id}/{index}",
                at=at,
                values=[_plain(rows[index].get(name)) for name in names],
                answer=score if labels is None else labels[place_of(score, threshold)],
                probabilities=None if labels is None else score,
            )

    def events(self, rows: Iterable[LoggedPrediction], *, answered: int, dropped: int) -> Iterator[PredictionLogged]:
        """Yield one event or several: the first has the counts, each as many rows as an event may hold."""
        held: list[LoggedPrediction] = []
        size = 0
        for row in rows:
            cost = len(msgspec.json.encode(row.values))
            if cost > EVENT_BYTES:
                dropped += 1
                continue
            if held and (len(held) == EVENT_ROWS or size + cost > EVENT_BYTES):
                yield self._event(held, answered, dropped)
                answered = dropped = size = 0
                held = []
            held.append(row)
            size += cost
        if held or answered or dropped:
            yield self._event(held, answered, dropped)

    def _event(self, rows: list[LoggedPrediction], answered: int, dropped: int) -> PredictionLogged:
        return PredictionLogged(
            model=self.model,
            version=self.version,
            promotion_seq=self.promotion_seq,
            worker=self.worker,
            until=datetime.now(UTC),
            ratio=self.ratio,
            answered=answered,
            dropped=dropped,
            features=[feature.name for feature in self.signature.features],
            labels=self.signature.labels,
            rows=rows,
        )


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it."""
    return value.isoformat() if isinstance(value, datetime) else value
