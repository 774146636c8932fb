"""The prediction log's sample: what it keeps, what it drops, and that it says how much."""

from collections import defaultdict
from typing import Any
from uuid import uuid4

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from interlock_contracts.event import Envelope, Event
from interlock_contracts.predictions import LoggedPrediction, PredictionLogged, sampled
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.observe import prediction_log
from interlock_gateway.observe.counts import Counts
from interlock_gateway.observe.prediction_log import HELD_BYTES, PredictionLog
from interlock_modeling import Model
from interlock_modeling.engines import LinearEngine
from interlock_modeling.signature import ModelSignature
from interlock_serving.prediction_log import EVENT_BYTES, EVENT_ROWS

from tests.support.stored_models import CLASSIFICATION, ENCODER, REGRESSION, ROW

ENGINE = LinearEngine(np.array([[1.0, 0.0, 0.0]]), np.array([0.0]), "identity")


class Bus:
    """Takes events while it is not down; knows which of them it has taken before, as an inbox does."""

    def __init__(self) -> None:
        self.down = False
        self.unsure = False
        self.taken: dict[tuple[str, int], PredictionLogged] = {}

    async def publish(self, event: Event, *, cause: str, n: int = 0) -> Envelope | None:
        if self.down:
            raise ConnectionError("the bus is down")
        assert isinstance(event, PredictionLogged)
        self.taken.setdefault((cause, n), event)
        if self.unsure:
            raise TimeoutError("no confirm")
        return None

    @property
    def events(self) -> list[PredictionLogged]:
        return list(self.taken.values())

    @property
    def rows(self) -> list[LoggedPrediction]:
        return [row for event in self.events for row in event.rows]


class Lab:
    """A log, its bus, and a model that serves."""

    def __init__(self, **options: Any) -> None:
        self.bus = Bus()
        self.counts: defaultdict[str, Counts] = defaultdict(Counts)
        options = {"ratio": 1.0, "rows_per_second": 1.0, **options}
        self.log = PredictionLog("w-1", self.bus, self.counts.__getitem__, **options)
        self.serve(1)

    def serve(self, version: int, signature: ModelSignature = REGRESSION) -> None:
        self.serving = BatchedModel(version, version, Model(signature, ENCODER, ENGINE))

    def answer(self, count: int = 1, *, rows: Any = None, size: int = 100, model: str = "flights") -> str:
        request = str(uuid4())
        regression = self.serving.model.signature.labels is None
        scores: list[Any] = [float(each) for each in range(count)] if regression else [[0.25, 0.75]] * count
        rows = [ROW] * count if rows is None else rows
        self.log.record(model, self.serving, request, rows, scores, size)
        return request


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_log, "PAUSE_SECONDS", 0.0)


async def test_an_answer_is_logged_with_its_id_its_features_in_order_and_the_version() -> None:
    """Whoever reads it needs nothing else."""
    lab = Lab()
    request = lab.answer(2, rows=[{"color": "green", "size": 3}, {"size": 4.5}])
    await lab.log.flush()

    (event,) = lab.bus.events
    assert (event.model, event.version, event.promotion_seq, event.worker) == ("flights", 1, 1, "w-1")
    assert (event.answered, event.dropped, event.features, event.labels) == (2, 0, ["size", "color"], None)
    assert [row.prediction for row in event.rows] == [f"{request}/0", f"{request}/1"]
    assert [row.values for row in event.rows] == [[3, "green"], [4.5, None]]
    assert [row.answer for row in event.rows] == [0.0, 1.0]


async def test_a_body_and_a_table_are_read_when_they_are_told() -> None:
    """The hot path hands over what it has, and does no work for the log."""
    lab = Lab()
    lab.answer(1, rows=msgspec.json.encode({"rows": [ROW]}))
    lab.answer(1, rows=pa.table({"size": [3.0], "color": ["green"]}))
    await lab.log.flush()

    assert [row.values for row in lab.bus.rows] == [[3.0, "green"], [3.0, "green"]]


async def test_a_classification_has_its_labels_and_probabilities() -> None:
    """Metrics need both, in the same order."""
    lab = Lab()
    lab.serve(1, CLASSIFICATION)
    lab.answer()
    await lab.log.flush()

    (event,) = lab.bus.events
    assert event.labels == [False, True]
    assert event.rows[0].answer is True
    assert event.rows[0].probabilities == [0.25, 0.75]


async def test_what_is_in_the_sample_follows_from_the_id_and_the_rest_is_counted() -> None:
    """Every process comes to the same answer, so feedback can tell what the log leaves out."""
    lab = Lab(ratio=0.3)
    requests = [lab.answer() for _ in range(1000)]
    await lab.log.flush()

    assert {row.prediction.partition("/")[0] for row in lab.bus.rows} == {x for x in requests if sampled(x, 0.3)}
    assert 200 < len(lab.bus.rows) < 400
    assert sum(event.answered for event in lab.bus.events) == 1000
    assert not any(event.dropped for event in lab.bus.events)


async def test_a_ratio_of_zero_publishes_nothing() -> None:
    """Who may not keep what was asked switches the log off."""
    lab = Lab(ratio=0.0)
    lab.answer()
    await lab.log.flush()

    assert not lab.bus.events


async def test_while_the_bus_is_down_nothing_grows_and_later_every_row_is_logged_or_counted() -> None:
    """What was sampled first is told when the bus is back; what found no room is a number."""
    lab = Lab(burst=100)
    lab.bus.down = True
    for _ in range(10):
        for _ in range(50):
            lab.answer()
        with pytest.raises(ConnectionError):
            await lab.log.flush()
    lab.bus.down = False
    await lab.log.flush()
    await lab.log.flush()

    assert len(lab.bus.rows) == 100
    assert sum(event.answered for event in lab.bus.events) == 500
    assert sum(event.dropped for event in lab.bus.events) == 400
    view = lab.log.view
    assert (view.answered, view.logged, view.dropped) == (500, 100, 400)


async def test_an_event_that_was_taken_without_a_confirm_counts_once() -> None:
    """It is published again under the same id, and then the next one follows."""
    lab = Lab()
    first = lab.answer()
    lab.bus.unsure = True
    with pytest.raises(TimeoutError):
        await lab.log.flush()
    lab.bus.unsure = False
    second = lab.answer()
    await lab.log.flush()
    await lab.log.flush()

    assert [row.prediction for row in lab.bus.rows] == [f"{first}/0", f"{second}/0"]
    assert sum(event.answered for event in lab.bus.events) == 2


async def test_room_comes_back_at_the_rate() -> None:
    """A burst is taken whole; who asks on and on is sampled at the rate."""
    lab = Lab(burst=10, rows_per_second=1e9)
    lab.answer(25)
    await lab.log.flush()
    await lab.log.flush()
    lab.answer(5)
    await lab.log.flush()

    assert [len(event.rows) for event in lab.bus.events] == [10, 5]
    assert sum(event.dropped for event in lab.bus.events) == 15


async def test_versions_that_answer_in_turn_are_logged_in_no_more_events() -> None:
    """One request in ten goes to a canary: each version has its own sample, for whoever answers next ends none."""
    lab = Lab()
    champion = lab.serving
    lab.serve(2)
    canary = lab.serving
    for number in range(5000):
        lab.serving = canary if number % 10 == 0 else champion
        lab.answer()
    await lab.log.flush()

    assert len(lab.bus.events) == 50
    answered = defaultdict[int, int](int)
    for event in lab.bus.events:
        assert len({row.answer for row in event.rows}) == 1
        answered[event.version] += event.answered
    assert answered == {1: 4500, 2: 500}


async def test_one_busy_version_takes_no_room_from_another() -> None:
    """Room is counted by version."""
    lab = Lab(burst=10)
    lab.answer(25)
    lab.serve(2)
    lab.answer(3)
    await lab.log.flush()

    assert {event.version: (len(event.rows), event.dropped) for event in lab.bus.events} == {1: (10, 15), 2: (3, 0)}


async def test_one_busy_model_takes_no_room_from_another() -> None:
    """Nor does one model's version from another model's."""
    lab = Lab(burst=10)
    lab.answer(25, model="busy")
    lab.answer(3, model="quiet")
    await lab.log.flush()

    assert {event.model: (len(event.rows), event.dropped) for event in lab.bus.events} == {
        "busy": (10, 15),
        "quiet": (3, 0),
    }
    assert {model: (counts.logged, counts.dropped) for model, counts in lab.counts.items()} == {
        "busy": (10, 15),
        "quiet": (3, 0),
    }


async def test_a_swap_ends_the_old_versions_sample() -> None:
    """An event is about one version, and nothing of the old one is lost."""
    lab = Lab()
    lab.answer()
    lab.serve(2)
    lab.answer(2)
    await lab.log.flush()

    assert [(event.version, event.answered, len(event.rows)) for event in lab.bus.events] == [(1, 1, 1), (2, 2, 2)]


async def test_many_rows_make_several_events_and_counts_stand_in_one_of_them() -> None:
    """An event stays small; added up, the numbers are right."""
    lab = Lab()
    lab.answer(2 * EVENT_ROWS + 1)
    await lab.log.flush()

    assert [len(event.rows) for event in lab.bus.events] == [EVENT_ROWS, EVENT_ROWS, 1]
    assert [event.answered for event in lab.bus.events] == [2 * EVENT_ROWS + 1, 0, 0]


async def test_large_rows_make_more_events_and_one_too_large_for_any_is_dropped() -> None:
    """Events are bounded in bytes too."""
    lab = Lab()
    large, monstrous = {"size": 1.0, "color": "x" * (EVENT_BYTES // 2)}, {"size": 1.0, "color": "x" * EVENT_BYTES}
    lab.answer(3, rows=[large, monstrous, large])
    await lab.log.flush()

    assert [len(event.rows) for event in lab.bus.events] == [1, 1]
    assert sum(event.dropped for event in lab.bus.events) == 1
    assert all(len(event.body()) < EVENT_BYTES + 1000 for event in lab.bus.events)


async def test_requests_are_held_up_to_a_number_of_bytes() -> None:
    """Large bodies are dropped and counted before memory runs out, and there is room again once they are told."""
    lab = Lab()
    for _ in range(3):
        lab.answer(size=HELD_BYTES // 2)
    await lab.log.flush()
    lab.answer(size=HELD_BYTES // 2)
    await lab.log.flush()

    assert [(event.answered, len(event.rows), event.dropped) for event in lab.bus.events] == [(3, 2, 1), (1, 1, 0)]


async def test_what_is_sampled_when_the_worker_stops_is_told() -> None:
    """The last second of a worker is worth as much as any, even when an event was on its way."""
    lab = Lab()
    lab.answer()
    lab.bus.down = True
    async with lab.log.running():
        with pytest.raises(ConnectionError):
            await lab.log.flush()
        lab.answer()
        lab.bus.down = False

    assert len(lab.bus.rows) == 2
