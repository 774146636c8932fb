"""The swap: complete before it shows, newest wins, never back."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_artifacts import MemoryStore
from interlock_contracts.refs import ModelRef
from interlock_modeling import Model
from interlock_serving.eviction import ModelMemory
from interlock_serving.load_backoff import LoadFailure
from interlock_serving.slot import ServedModel, Slot, Swapped

from tests.support.stored_models import ROW, loader_in, promotion, put_model, version_of
from tests.support.waiting import until


class Shelf:
    """Ready models by version; those that are ``broken`` cannot be loaded, those that are ``held`` wait."""

    def __init__(self, folder: Path, versions: int) -> None:
        store = MemoryStore()
        loader = loader_in(store, folder)
        self.models = {version: loader.load(put_model(store, version)) for version in range(1, versions + 1)}
        self.broken: dict[int, Exception] = {}
        self.held: dict[int, asyncio.Event] = {}
        self.loading: list[int] = []

    async def size(self, ref: ModelRef) -> int:
        del ref
        return 1

    async def load(self, ref: ModelRef) -> Model:
        version = ref.version
        self.loading.append(version)
        await asyncio.sleep(0)
        if version in self.held:
            await self.held[version].wait()
        if version in self.broken:
            raise self.broken[version]
        return self.models[version]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def shelf(folder: Path) -> Shelf:
    return Shelf(folder, versions=3)


def slot_of(shelf: Shelf) -> Slot[ServedModel]:
    return Slot("flights", shelf, ModelMemory(1000, "MEMORY"), ServedModel.of)


def version(slot: Slot[ServedModel]) -> int | None:
    return slot.serving.version if slot.serving else None


async def test_the_old_version_serves_until_the_new_one_is_loaded(shelf: Shelf) -> None:
    """Nothing of a version shows before all of it is there."""
    slot = slot_of(shelf)
    await slot.swap(promotion(1))
    shelf.held[2] = asyncio.Event()
    swapping = asyncio.create_task(slot.swap(promotion(2)))
    await until(lambda: 2 in shelf.loading)

    assert version(slot) == 1
    shelf.held[2].set()
    (swapped,) = await swapping
    assert isinstance(swapped, Swapped)
    assert version(slot) == swapped.served.version == 2


async def test_what_serves_knows_the_trace_of_its_promotion(shelf: Shelf) -> None:
    """A prediction's span links to the promotion that put its model there."""
    slot = slot_of(shelf)
    traced = replace(promotion(1), trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    await slot.swap(traced)

    assert slot.serving is not None
    assert slot.serving.trace == traced.trace


async def test_a_failed_load_keeps_the_old_version_and_reports_the_reason(shelf: Shelf) -> None:
    """Whatever is wrong with the new version, requests do not notice."""
    slot = slot_of(shelf)
    await slot.swap(promotion(1))
    shelf.broken[2] = ValueError("not a model")

    (failed,) = await slot.swap(promotion(2))

    assert isinstance(failed, LoadFailure)
    assert failed.reason == "ValueError: not a model"
    assert version(slot) == 1


async def test_a_version_that_failed_for_itself_is_not_tried_at_once_again(shelf: Shelf) -> None:
    """The same bytes fail again; after an outage the next try may succeed, and a newer promotion always may."""
    slot = slot_of(shelf)
    shelf.broken = {1: ValueError("not a model"), 2: ConnectionError("S3 is down")}
    await slot.swap(promotion(1))
    assert not slot.should_load(promotion(1))

    await slot.swap(promotion(2))
    assert slot.should_load(promotion(2))
    del shelf.broken[2]
    await slot.swap(promotion(2))
    assert version(slot) == 2
    assert slot.failure is None


@pytest.mark.parametrize("seq", [1, 2])
async def test_an_older_or_equal_promotion_never_replaces_a_newer_one(shelf: Shelf, seq: int) -> None:
    """Events may come late or twice; a rollback has a higher number, so it gets through."""
    slot = slot_of(shelf)
    await slot.swap(promotion(2))

    assert await slot.swap(promotion(1, seq=seq)) == []
    assert version(slot) == 2
    assert shelf.loading == [2]
    await slot.swap(promotion(1, seq=3))
    assert version(slot) == 1


async def test_of_promotions_that_wait_only_the_newest_is_loaded(shelf: Shelf) -> None:
    """One load at a time, and none for a version that will not serve."""
    slot = slot_of(shelf)
    shelf.held[1] = asyncio.Event()
    swaps = [asyncio.create_task(slot.swap(promotion(each))) for each in (1, 2, 3)]
    await until(lambda: shelf.loading)
    shelf.held[1].set()
    await asyncio.gather(*swaps)

    assert version(slot) == 3
    assert shelf.loading == [1, 3]


@settings(max_examples=60)
@given(data=st.data())
def test_any_order_with_repeats_and_failures_ends_at_the_newest_and_never_goes_back(
    folder: Path, data: st.DataObject
) -> None:
    """Whatever order promotions come in, and however often, the sequence number only grows."""
    order = data.draw(st.permutations([1, 2, 3, 4, 1, 3, 4]), label="order")
    together = data.draw(st.lists(st.booleans(), min_size=7, max_size=7), label="without waiting for the last")
    broken = data.draw(st.sets(st.integers(1, 3)), label="broken")
    shelf = Shelf(folder, versions=4)
    shelf.broken = {each: ValueError("broken") for each in broken}

    async def history() -> list[int]:
        slot, seen, running = slot_of(shelf), [0], []

        async def watched(seq: int) -> None:
            await slot.swap(promotion(seq))
            seen.append(slot.serving.promotion_seq if slot.serving else 0)

        for seq, at_once in zip(order, together, strict=True):
            running.append(asyncio.create_task(watched(seq)))
            if not at_once:
                await asyncio.gather(*running)
        await asyncio.gather(*running)
        return seen

    seen = asyncio.run(history())

    assert seen[-1] == 4
    assert all(before <= after for before, after in pairwise(seen))
    assert not broken & set(seen)


async def test_version_and_answer_belong_together_whatever_is_swapped_meanwhile(shelf: Shelf) -> None:
    """A request that takes the reference once never names one version and answers with another."""
    slot = slot_of(shelf)
    await slot.swap(promotion(1))
    seen: set[int] = set()
    done = False

    def ask() -> None:
        while not done:
            serving = slot.serving
            assert serving is not None
            (value,) = serving.model.predict_rows([ROW]).values
            assert version_of(value) == serving.version
            seen.add(serving.version)

    asking = [asyncio.create_task(asyncio.to_thread(ask)) for _ in range(3)]
    for seq in range(2, 60):
        await slot.swap(promotion(1 + seq % 3, seq=seq))
        await asyncio.sleep(0.002)
    done = True
    await asyncio.gather(*asking)

    assert seen == {1, 2, 3}
