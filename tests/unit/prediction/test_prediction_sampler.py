"""The sample of asynchronous answers: what is logged, what is counted, and what finds no room."""

from typing import Any

import numpy as np
from interlock_contracts.predictions import PredictionLogged
from interlock_modeling import Model
from interlock_modeling.engines import LinearEngine
from interlock_prediction.prediction_sampler import AnsweredRequest, PredictionSampler
from interlock_serving.slot import ServedModel

from tests.support.stored_models import ENCODER, REGRESSION

ENGINE = LinearEngine(np.array([[1.0, 0.0, 0.0]]), np.array([0.0]), "identity")
SERVED = {n: ServedModel(n, n, Model(REGRESSION, ENCODER, ENGINE)) for n in (1, 2)}


class Session:
    """Takes outbox rows as a database session does, and keeps them."""

    def __init__(self) -> None:
        self.info: dict[str, Any] = {}
        self.rows: list[dict[str, Any]] = []

    async def execute(self, _: Any, rows: list[dict[str, Any]]) -> None:
        self.rows += rows

    @property
    def events(self) -> list[PredictionLogged]:
        return [PredictionLogged.model_validate_json(row["payload"]) for row in self.rows]


def answered(n: int, version: int = 1, rows: int = 2) -> AnsweredRequest:
    asked = [{"size": float(n), "color": "red"}] * rows
    return AnsweredRequest(f"x{n}", "prices", SERVED[version], asked, np.arange(1.0, 1.0 + rows))


async def record(sampler: PredictionSampler, *requests: AnsweredRequest) -> Session:
    session = Session()
    await sampler.record(session, requests)  # type: ignore[arg-type]
    return session


async def test_each_version_has_its_own_event_and_what_finds_no_room_is_counted() -> None:
    """Room is of the model: here five rows for two versions."""
    sampler = PredictionSampler("r", ratio=1.0, rows_per_second=1e-9, burst=5)
    older, newer = (await record(sampler, answered(0), answered(1, 2), answered(2))).events

    assert (older.version, older.answered, len(older.rows), older.dropped) == (1, 4, 4, 0)
    assert (newer.version, newer.answered, len(newer.rows), newer.dropped) == (2, 2, 1, 1)
    assert [row.prediction for row in older.rows] == ["x0/0", "x0/1", "x2/0", "x2/1"]
    assert older.rows[1].values == [0.0, "red"]
    assert older.rows[1].answer == 2.0


async def test_a_large_answer_is_logged_in_several_events_that_count_it_once() -> None:
    """No event is large, each has an id of its own, and none is a trace of its own."""
    session = await record(PredictionSampler("r", ratio=1.0, rows_per_second=1.0), answered(0, rows=250))

    assert [len(event.rows) for event in session.events] == [100, 100, 50]
    assert [event.answered for event in session.events] == [250, 0, 0]
    assert len({row["id"] for row in session.rows}) == 3
    assert all(row["headers"]["cloudEvents_traceparent"].endswith("-00") for row in session.rows)


async def test_with_a_ratio_of_0_nothing_is_logged() -> None:
    """The log is switched off."""
    assert (await record(PredictionSampler("r", ratio=0, rows_per_second=1.0), answered(0))).rows == []
