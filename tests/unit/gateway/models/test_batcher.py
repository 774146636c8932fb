"""Who waits together is answered together, and nobody pays for a neighbour."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from interlock_gateway.models.batcher import BATCH_ROWS, QUICK_SECONDS, DynamicBatcher, OverloadedError
from interlock_modeling import Model
from numpy.typing import NDArray

from tests.support.stored_models import CLASSIFICATION, ENCODER, REGRESSION, ROW
from tests.support.waiting import until


class Engine:
    """Answers ten times the first column; remembers how many rows each call had, and in which threads it ran."""

    features = 3

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.threads: set[int] = set()
        self.seconds = 0.0
        self.gate = threading.Event()
        self.gate.set()
        self.broken = False

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        self.gate.wait(20)
        self.calls.append(len(matrix))
        self.threads.add(threading.get_ident())
        end = perf_counter() + self.seconds
        while perf_counter() < end:
            pass
        if self.broken:
            raise RuntimeError("an engine that fails")
        with np.errstate(over="ignore"):
            return matrix[:, 0] * 10.0

    @contextmanager
    def shut(self) -> Iterator[None]:
        self.gate.clear()
        try:
            yield
        finally:
            self.gate.set()


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def batcher(engine: Engine) -> DynamicBatcher:
    """Return a batcher that has found out how quick its engine is."""
    opened: Any = Model(REGRESSION, ENCODER, engine)
    batcher = DynamicBatcher(opened)
    assert await batcher.scores(body(1)) == [10.0]
    engine.calls.clear()
    engine.threads.clear()
    return batcher


def body(*sizes: float) -> bytes:
    return json.dumps({"rows": [ROW | {"size": size} for size in sizes]}).encode()


async def test_requests_that_wait_together_share_one_engine_call(batcher: DynamicBatcher, engine: Engine) -> None:
    """Each gets its own rows' answers, in order."""
    answers = await asyncio.gather(*(batcher.scores(body(size, size + 0.5)) for size in range(10)))

    assert answers == [[size * 10.0, size * 10.0 + 5] for size in range(10)]
    assert engine.calls == [20]
    assert engine.threads == {threading.get_ident()}


async def test_an_engine_call_never_holds_up_the_loop_for_long(batcher: DynamicBatcher, engine: Engine) -> None:
    """More rows than fit are split, and the event loop breathes between the parts."""
    answers = await asyncio.gather(*(batcher.scores(body(*[size] * 10)) for size in range(20)))

    assert answers == [[size * 10.0] * 10 for size in range(20)]
    assert len(engine.calls) >= 4
    assert max(engine.calls) <= BATCH_ROWS


async def test_a_slow_engine_is_asked_in_a_thread_and_one_call_at_a_time(engine: Engine) -> None:
    """Who comes during a call joins the next one."""
    engine.seconds = 2 * QUICK_SECONDS
    model: Any = Model(REGRESSION, ENCODER, engine)
    batcher = DynamicBatcher(model)
    await batcher.scores(body(1))
    engine.calls.clear()
    engine.threads.clear()
    with engine.shut():
        first = asyncio.create_task(batcher.scores(body(1)))
        await until(lambda: batcher.in_flight == 1)
        others = [asyncio.create_task(batcher.scores(body(size))) for size in range(5)]
        await until(lambda: batcher.in_flight == 6)

    assert await first == [10.0]
    assert await asyncio.gather(*others) == [[size * 10.0] for size in range(5)]
    assert sum(engine.calls) == 6
    assert len(engine.calls) <= 3
    assert threading.get_ident() not in engine.threads


async def test_an_odd_request_does_not_spoil_its_neighbours(batcher: DynamicBatcher, engine: Engine) -> None:
    """It is left to the way that explains, and what it had written is gone."""
    odd = [b"{", json.dumps({"rows": [ROW, ROW | {"color": "violet"}]}).encode(), b'{"rows": []}', body(1, -1)]
    answers = await asyncio.gather(*(batcher.scores(each) for each in [body(1), *odd, body(2)]))

    assert answers == [[10.0], None, None, None, None, [20.0]]
    assert engine.calls == [2]


async def test_only_the_request_without_a_finite_answer_is_left_out() -> None:
    """Numbers that are too large for a model are told by the way that explains."""
    features = [each.model_copy(update={"min": None, "max": None}) for each in REGRESSION.features]
    model: Any = Model(REGRESSION.model_copy(update={"features": features}), ENCODER, Engine())
    batcher = DynamicBatcher(model)

    assert await asyncio.gather(*(batcher.scores(body(size)) for size in (1, 1e308, 2))) == [[10.0], None, [20.0]]


async def test_an_engine_that_fails_leaves_everybody_to_the_way_that_explains(
    batcher: DynamicBatcher, engine: Engine
) -> None:
    """And once it does not fail, it answers."""
    engine.broken = True
    assert await asyncio.gather(*(batcher.scores(body(size)) for size in range(3))) == [None] * 3

    engine.broken = False
    assert await batcher.scores(body(3)) == [30.0]


@pytest.mark.parametrize("rows", [BATCH_ROWS + 1, 5_000, 10_001])
async def test_large_requests_are_computed_in_a_thread(batcher: DynamicBatcher, engine: Engine, rows: int) -> None:
    """One call for all of its rows; more than a request may have are left to the way that explains."""
    answer = await batcher.scores(body(*range(90), *[1] * (rows - 90)) if rows > 90 else body(*range(rows)))

    if rows > 10_000:
        assert answer is None
        return
    assert answer is not None
    assert (len(answer), answer[:3]) == (rows, [0.0, 10.0, 20.0])
    assert engine.calls == [rows]
    assert threading.get_ident() not in engine.threads


async def test_there_is_room_for_so_many_and_no_more(engine: Engine) -> None:
    """A client that is told to come again is better off than one that waits behind a thousand."""
    model: Any = Model(REGRESSION, ENCODER, engine)
    batcher = DynamicBatcher(model, 2)
    with engine.shut():
        waiting = [asyncio.create_task(batcher.scores(body(*range(70)))) for _ in range(2)]
        await until(lambda: batcher.in_flight == 2)

        assert await batcher.scores(body(1)) is None
        with pytest.raises(OverloadedError), batcher.acquire():
            pass
    assert None not in await asyncio.gather(*waiting)
    with batcher.acquire():
        assert batcher.in_flight == 1


async def test_a_client_that_goes_away_takes_nobody_along(batcher: DynamicBatcher) -> None:
    """Its place in the batch stays empty."""
    gone, stays = (asyncio.create_task(batcher.scores(body(size))) for size in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()

    assert await stays == [20.0]
    assert batcher.in_flight == 0


async def test_a_classification_gives_a_list_of_probabilities_for_each_row() -> None:
    """The same as the model itself."""

    class Two(Engine):
        def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
            share = super().predict(matrix) / 1000
            return np.column_stack((1 - share, share))

    model: Any = Model(CLASSIFICATION, ENCODER, Two())

    assert await DynamicBatcher(model).scores(body(10, 50)) == [[0.9, 0.1], [0.5, 0.5]]
