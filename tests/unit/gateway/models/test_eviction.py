"""Many models in one worker: loaded by the first who asks, unloaded by least use, never taken from under a request."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_artifacts import MemoryStore
from interlock_contracts.models import ModelLoadFailed
from interlock_contracts.refs import ModelRef
from interlock_gateway.models import unload_requests
from interlock_modeling import Model
from interlock_serving.eviction import LoadedModel, lru_victims
from interlock_serving.manager import LoadFailedError
from interlock_serving.promotion import Promotion
from interlock_serving.slot import ServedModel

from tests.support.stored_models import ROW, RecordingBus, Worker, loader_in, promotion, put_model, version_of
from tests.support.waiting import until

SIZE = 100
"""What every model takes here."""


class Lab:
    """A worker that may hold ``models`` models, and a loader that counts, and holds up or fails what it is told to."""

    def __init__(self, folder: Path, models: float = 2.0) -> None:
        self.store, self.bus = MemoryStore(), RecordingBus()
        self._loader = loader_in(self.store, folder)
        self._folder = folder
        self.loads: list[str] = []
        self.broken: set[int] = set()
        self.held = threading.Event()
        self.held.set()
        self.memory = int(models * SIZE)
        self.worker = Worker("host-1", self, self.bus, folder, memory=self.memory)

    def another(self) -> Worker:
        """Return another worker of the same host."""
        return Worker("host-2", self, self.bus, self._folder, memory=self.memory)

    def size(self, ref: ModelRef) -> int:
        return SIZE if ref.version < 90 else 10 * SIZE

    def load(self, ref: ModelRef) -> Model:
        self.loads.append(f"{ref.model} {ref.version}")
        self.held.wait(10)
        if ref.version in self.broken:
            raise ValueError("it is broken")
        return self._loader.load(ref)

    def promotion(self, model: str, version: int = 1) -> Promotion:
        return promotion(version, ref=put_model(self.store, version, model=model))

    async def promote(self, model: str, version: int = 1) -> None:
        await self.worker.manager.apply_promotion(self.promotion(model, version), cause="c")

    def loaded(self) -> dict[str, int]:
        return self.worker.loaded()

    async def ask(self, model: str) -> int:
        serving = self.worker.manager.choose_version(model) or await self.worker.manager.get_or_load(model)
        assert serving is not None
        return answer(serving)


def answer(serving: ServedModel) -> int:
    (value,) = serving.model.predict_rows([ROW]).values
    return version_of(value)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unload_requests, "POLL_SECONDS", 0.0)


@given(
    st.lists(st.builds(LoadedModel, st.uuids().map(str), st.integers(1, 50), st.floats(0, 9)), max_size=8),
    st.integers(0, 120),
)
def test_victims_are_least_recently_used_and_none_is_evicted_in_vain(residents: list[LoadedModel], need: int) -> None:
    """What stays fits beside the new one; of those that went, none was asked after one that stayed."""
    gone = lru_victims(need, 100, residents)
    if gone is None:
        assert need > 100
        return
    stay = [each for each in residents if each.model not in gone]
    went = [each for each in residents if each.model in gone]
    assert sum(each.bytes for each in stay) + need <= 100
    assert all(one.used <= other.used for one in went for other in stay)
    if went:
        last = next(each for each in went if each.model == gone[-1])
        assert sum(each.bytes for each in stay) + last.bytes + need > 100


async def test_at_start_what_fits_is_loaded_and_the_rest_by_its_first_request(lab: Lab) -> None:
    """Nobody waits for models that nobody asks for, and no request fails for want of memory."""
    for name in ("a", "b", "c"):
        await lab.promote(name)
    assert lab.loaded() == {"a": 1, "b": 1}
    assert await lab.ask("b") == 1

    assert await lab.ask("c") == 1
    assert lab.loaded() == {"b": 1, "c": 1}, "a was not asked longest"
    assert await lab.ask("a") == 1
    assert lab.loaded() == {"a": 1, "c": 1}


async def test_first_requests_that_come_together_share_one_load(lab: Lab) -> None:
    """A hundred clients that wake up at once are no hundred loads."""
    for name in ("a", "b", "c"):
        await lab.promote(name)
    lab.held.clear()
    asking = [asyncio.create_task(lab.ask("c")) for _ in range(100)]
    await until(lambda: "c 1" in lab.loads)
    lab.held.set()

    assert set(await asyncio.gather(*asking)) == {1}
    assert lab.loads.count("c 1") == 1


async def test_a_model_that_goes_is_not_taken_from_under_a_request(lab: Lab) -> None:
    """Who has it finishes with it."""
    await lab.promote("a")
    serving = lab.worker.manager.choose_version("a")
    assert serving is not None
    for name in ("b", "c"):
        await lab.promote(name)
        await lab.ask(name)

    assert "a" not in lab.loaded()
    assert answer(serving) == 1


async def test_a_new_version_of_a_loaded_model_is_loaded_at_once_and_of_another_only_noted(lab: Lab) -> None:
    """What clients use stays hot; what nobody uses does not push it out."""
    for name in ("a", "b", "c"):
        await lab.promote(name)
    await lab.promote("c", 2)
    await lab.promote("b", 2)
    await lab.promote("c", 2)

    assert lab.loaded() == {"a": 1, "b": 2}
    assert lab.loads == ["a 1", "b 1", "b 2"]
    assert await lab.ask("c") == 2


async def test_a_model_larger_than_all_memory_is_refused_and_the_old_version_serves_on(lab: Lab) -> None:
    """With both numbers, and the name of the setting."""
    await lab.promote("a")
    await lab.promote("a", 90)
    failed = [event for event, _ in lab.bus.published if isinstance(event, ModelLoadFailed)]

    assert "takes 1000 bytes, and INTERLOCK_GATEWAY_MODEL_MEMORY allows 200" in failed[0].reason
    assert await lab.ask("a") == 1


async def test_a_broken_version_of_a_model_that_is_not_loaded_leaves_the_one_before(lab: Lab) -> None:
    """Only the load shows that it is broken; until then, and after, the version before it is what answers."""
    for name in ("a", "b", "c"):
        await lab.promote(name)
        await lab.ask(name)
    lab.broken = {2}
    await lab.promote("a", 2)
    assert "a" not in lab.loaded()

    assert await lab.ask("a") == 1
    assert lab.bus.types.count("model.load_failed") == 1


async def test_a_version_that_cannot_be_loaded_is_reported_to_the_request(lab: Lab) -> None:
    """With the reason; what was never promoted is nothing at all."""
    lab.broken = {1}
    await lab.promote("a")

    with pytest.raises(LoadFailedError, match="it is broken"):
        await lab.worker.manager.get_or_load("a")
    assert await lab.worker.manager.get_or_load("unknown") is None
    assert lab.bus.types == ["model.load_failed"]


async def test_serving_is_published_once_for_a_model_that_is_loaded_again(lab: Lab) -> None:
    """Events are of swaps, not of every load of a model that is evicted and loaded again."""
    for name in ("a", "b", "c", "a", "b", "c"):
        await lab.promote(name)
        await lab.ask(name)

    assert lab.bus.types == ["model.serving"] * 3


@pytest.mark.usefixtures("at_once")
async def test_an_unloaded_model_stays_so_in_every_worker_of_the_host_until_its_load_is_asked_for(lab: Lab) -> None:
    """Whichever worker was asked, a restart included; newer versions are noted meanwhile."""
    other = lab.another()
    await lab.promote("a")
    await other.manager.apply_promotion(lab.promotion("a"), cause="c")
    assert await lab.worker.unload_requests.unload("a")
    await other.unload_requests.apply()
    await lab.promote("a", 2)
    restarted = lab.another()
    await restarted.manager.apply_promotion(lab.promotion("a", 2), cause="c")

    for each in (lab.worker, other, restarted):
        assert each.manager.choose_version("a") is None
        with pytest.raises(LoadFailedError, match="unloaded by request"):
            await each.manager.get_or_load("a")

    loaded = await other.unload_requests.load("a")
    assert loaded is not None
    assert loaded.version == 1, "what it knows of"
    await lab.worker.unload_requests.apply()
    assert await lab.ask("a") == 2
    assert not await lab.worker.unload_requests.unload("unknown")


async def test_two_hundred_models_in_one_worker_stay_responsive(tmp_path: Path) -> None:
    """Half of them fit; whichever is asked answers soon, and one that is loaded answers at once all the while."""
    lab = Lab(tmp_path, models=100)
    names = [f"m-{number}" for number in range(200)]
    begin = time.perf_counter()
    await asyncio.gather(*(lab.promote(name) for name in names))
    start = time.perf_counter() - begin
    assert len(lab.loaded()) == 100
    hot, cold = next(iter(lab.loaded())), [name for name in names if name not in lab.loaded()]
    pauses, first = [], []
    done = asyncio.Event()

    async def keep_asking() -> None:
        while not done.is_set():
            begin = time.perf_counter()
            await asyncio.sleep(0)
            await lab.ask(hot)
            pauses.append(time.perf_counter() - begin)

    asking = asyncio.create_task(keep_asking())
    for name in cold:
        begin = time.perf_counter()
        assert await lab.ask(name) == 1
        first.append(time.perf_counter() - begin)
    done.set()
    await asking

    pauses.sort()
    first.sort()
    print(
        f"start of 200: {start:.2f} s; first use p50 {first[50] * 1e3:.1f} ms, max {first[-1] * 1e3:.1f} ms;"
        f" p99 of a loaded model meanwhile {pauses[len(pauses) * 99 // 100] * 1e3:.2f} ms"
    )
    assert len(lab.loaded()) == 100
    assert hot in lab.loaded(), "what is asked all the time stays"
    assert lab.loads.count(f"{hot} 1") == 1
    assert first[50] < 1.0
    assert pauses[len(pauses) * 99 // 100] < 0.25
