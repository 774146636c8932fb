"""What the prediction log's sample has room for after an outage of the bus."""

from collections import defaultdict

import numpy as np
import pytest
from interlock_contracts.event import Event
from interlock_contracts.predictions import PredictionLogged
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.observe.counts import Counts
from interlock_gateway.observe.prediction_log import PredictionLog
from interlock_modeling import Model
from interlock_modeling.engines import LinearEngine

from tests.support.stored_models import ENCODER, REGRESSION, ROW

SERVING = BatchedModel(1, 1, Model(REGRESSION, ENCODER, LinearEngine(np.zeros((1, 3)), np.zeros(1), "identity")))


class Bus:
    """Takes events while it is not down."""

    def __init__(self) -> None:
        self.down = False
        self.taken: list[PredictionLogged] = []

    async def publish(self, event: Event, *, cause: str, n: int = 0) -> None:
        if self.down:
            raise ConnectionError("the bus is down")
        assert isinstance(event, PredictionLogged), (cause, n)
        self.taken.append(event)


async def test_an_outage_saves_up_no_more_than_a_burst() -> None:
    """However long it was, and though requests are answered while the sample is published."""
    bus = Bus()
    counts = defaultdict[str, Counts](Counts)
    log = PredictionLog("w-1", bus, counts.__getitem__, ratio=1.0, rows_per_second=1e9, burst=10)

    def answer(rows: int) -> None:
        log.record("flights", SERVING, "x", [ROW] * rows, [0.0] * rows, 1)

    bus.down = True
    answer(1)
    with pytest.raises(ConnectionError):
        await log.flush()
    bus.down = False
    answer(1)
    await log.flush()
    answer(25)
    await log.flush()

    assert sum(event.answered for event in bus.taken) == 27
    assert sum(event.dropped for event in bus.taken) == 15
