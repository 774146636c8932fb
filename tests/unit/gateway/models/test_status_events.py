"""A worker says what it did: once, and as soon as the bus can be reached."""

from pathlib import Path

import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.models import ModelLoadFailed, ModelServing
from interlock_contracts.refs import ModelRef
from interlock_modeling import Model

from tests.support.stored_models import RecordingBus, Worker, loader_in, promotion, put_model


class Lab:
    """A worker with a store, a bus and a fault to set."""

    def __init__(self, folder: Path) -> None:
        self.store, self.bus = MemoryStore(), RecordingBus()
        self.fault: Exception | None = None
        self._loader = loader_in(self.store, folder)
        self.worker = Worker("host-1", self, self.bus, folder)

    def size(self, ref: ModelRef) -> int:
        return self._loader.size(ref)

    def load(self, ref: ModelRef) -> Model:
        if self.fault is not None:
            raise self.fault
        return self._loader.load(ref)

    async def promote(self, version: int, cause: str = "cause") -> None:
        await self.worker.manager.apply_promotion(promotion(version, ref=put_model(self.store, version)), cause=cause)

    def version(self) -> int | None:
        serving = self.worker.manager.choose_version("flights")
        return serving.version if serving else None


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


async def test_a_swap_is_published_with_its_cause_and_its_time(lab: Lab) -> None:
    """Everybody can see which worker serves what, and since when."""
    await lab.promote(2, cause="the promotion")
    ((event, cause),) = lab.bus.published

    assert isinstance(event, ModelServing)
    assert (event.model, event.version, event.worker, event.promotion_seq) == ("flights", 2, "host-1", 2)
    assert 0 < event.load_seconds < 10
    assert cause == "the promotion"
    assert event.subject == "worker/host-1/flights/2"


async def test_a_promotion_delivered_twice_is_published_once(lab: Lab) -> None:
    """By event and by reconcile, or by an event delivered again."""
    await lab.promote(1)
    await lab.promote(1)

    assert lab.bus.types == ["model.serving"]


async def test_a_failed_load_is_published_with_its_reason_and_the_old_version_serves_on(lab: Lab) -> None:
    """Operators see why; users see nothing."""
    await lab.promote(1)
    lab.fault = ValueError("the engine is damaged")
    await lab.promote(2)
    event, _ = lab.bus.published[-1]

    assert isinstance(event, ModelLoadFailed)
    assert (event.version, event.reason) == (2, "ValueError: the engine is damaged")
    assert lab.version() == 1


async def test_the_same_failure_is_published_once_however_often_it_is_tried(lab: Lab) -> None:
    """An outage of S3 gives one event, not one every ten seconds; its end gives another."""
    lab.fault = ConnectionError("S3 is down")
    for _ in range(3):
        await lab.promote(1)
    assert lab.bus.types == ["model.load_failed"]

    lab.fault = None
    await lab.promote(1)
    assert lab.bus.types == ["model.load_failed", "model.serving"]


async def test_what_cannot_be_published_is_published_later_in_order(lab: Lab) -> None:
    """With the bus down models are swapped all the same, and nothing that happened stays unsaid."""
    lab.bus.down = True
    await lab.promote(1)
    await lab.promote(2)
    assert lab.version() == 2
    assert not lab.bus.published

    lab.bus.down = False
    await lab.worker.status.flush()
    await lab.worker.status.flush()
    assert [event.version for event, _ in lab.bus.published if isinstance(event, ModelServing)] == [1, 2]


async def test_models_do_not_get_in_each_others_way(lab: Lab) -> None:
    """Each model has a slot of its own."""
    await lab.promote(3)
    other = put_model(lab.store, 1, model="students")
    await lab.worker.manager.apply_promotion(promotion(1, ref=other), cause="c")

    assert lab.worker.loaded() == {"flights": 3, "students": 1}
