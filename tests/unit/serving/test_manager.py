"""A manager that loads only when asked, as prediction's: newest first, the version before it where that fails."""

from dataclasses import replace
from pathlib import Path

import pytest
from interlock_artifacts import MemoryStore
from interlock_artifacts.signing import UntrustedPromotionError
from interlock_contracts.refs import ModelRef
from interlock_modeling import Model
from interlock_serving import slot as slots
from interlock_serving.eviction import ModelMemory
from interlock_serving.load_backoff import LoadFailure
from interlock_serving.manager import LoadFailedError, LoadReport, ModelManager
from interlock_serving.promotion import Promotion
from interlock_serving.slot import ServedModel, Swapped

from tests.support.signing import STRANGER, TRUST, signed
from tests.support.stored_models import loader_in, promotion, put_model


class Lab:
    """A manager with room for two models, and a loader that fails as configured."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self._loader = loader_in(self.store, folder)
        self.loads: list[tuple[str, int]] = []
        self.faults: dict[int, Exception] = {}
        self.reports: list[LoadReport[ServedModel]] = []
        memory = ModelMemory(200, "MEMORY")
        self.manager = ModelManager("host-1", self, TRUST, memory, serve=ServedModel.of, report=self.report)

    async def report(self, report: LoadReport[ServedModel]) -> None:
        self.reports.append(report)

    def size(self, ref: ModelRef) -> int:
        return 100 if ref.version < 90 else 1000

    def load(self, ref: ModelRef) -> Model:
        self.loads.append((ref.model, ref.version))
        if ref.version in self.faults:
            raise self.faults[ref.version]
        return self._loader.load(ref)

    def promotion(self, version: int, model: str = "flights") -> Promotion:
        return promotion(version, ref=put_model(self.store, version, model=model))

    async def note(self, version: int, model: str = "flights") -> None:
        await self.manager.note_promotion(self.promotion(version, model), cause="c")

    async def version(self, model: str = "flights") -> int | None:
        serving = await self.manager.get_or_load(model, newest=True)
        return serving.version if serving else None


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


async def test_a_promotion_that_is_noted_is_loaded_by_the_next_request(lab: Lab) -> None:
    """Once; an older one that comes late, or one that is not signed, is no reason to load anything."""
    assert await lab.version() is None
    await lab.note(2)
    await lab.note(1)
    forged = lab.promotion(3)
    await lab.manager.note_promotion(replace(forged, signed=signed(forged.ref, 3, by=STRANGER)), cause="the event")
    assert lab.loads == []

    assert [await lab.version(), await lab.version()] == [2, 2]
    assert lab.loads == [("flights", 2)]
    untrusted, swapped = lab.reports
    assert (untrusted.promotion.seq, untrusted.cause) == (3, "the event")
    assert isinstance(untrusted.outcome, UntrustedPromotionError)
    assert isinstance(swapped.outcome, Swapped)


async def test_a_newer_version_is_loaded_before_the_next_answer_if_the_request_wants_the_newest(lab: Lab) -> None:
    """Who does not ask for the newest does not wait for it."""
    await lab.note(1)
    await lab.version()
    await lab.note(2)

    waits_for_none = await lab.manager.get_or_load("flights")

    assert waits_for_none is not None
    assert waits_for_none.version == 1
    assert await lab.version() == 2


async def test_a_newer_version_that_cannot_be_loaded_leaves_the_one_before_it(lab: Lab) -> None:
    """It is not tried again by each request, and the next version is."""
    await lab.note(1)
    await lab.version()
    lab.faults[2] = ValueError("it is broken")
    await lab.note(2)

    assert [await lab.version(), await lab.version()] == [1, 1]
    assert lab.loads.count(("flights", 2)) == 1
    failure = lab.reports[-1].outcome
    assert isinstance(failure, LoadFailure)
    assert failure.reason == "ValueError: it is broken"
    await lab.note(3)
    assert await lab.version() == 3


async def test_an_outage_holds_up_one_request_in_a_while_where_a_version_serves(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that hangs would hold up each of them; its end is noticed all the same."""
    await lab.note(1)
    await lab.version()
    lab.faults[2] = ConnectionError("S3 is down")
    await lab.note(2)

    assert [await lab.version(), await lab.version()] == [1, 1]
    assert lab.loads.count(("flights", 2)) == 1
    lab.faults.clear()
    monkeypatch.setattr(slots, "FIRST_RETRY_SECONDS", 0.0)
    assert await lab.version() == 2


async def test_the_only_version_that_cannot_be_loaded_is_an_error_with_the_reason(lab: Lab) -> None:
    """During an outage each request tries again; what is wrong with a version itself is final for now."""
    lab.faults = {1: ConnectionError("S3 is down"), 2: ValueError("it is broken")}
    await lab.note(1)
    for _ in range(2):
        with pytest.raises(ConnectionError, match="S3 is down"):
            await lab.version()
    assert len(lab.loads) == 2

    await lab.note(2)
    for _ in range(2):
        with pytest.raises(LoadFailedError, match=r"^ValueError: it is broken$"):
            await lab.version()
    assert len(lab.loads) == 3


async def test_room_is_made_by_unloading_what_was_used_least_recently(lab: Lab) -> None:
    """A model larger than the limit is refused, and evicts no other."""
    for model in ("a", "b"):
        await lab.note(1, model)
        await lab.version(model)
    await lab.version("a")
    await lab.note(1, "c")
    assert await lab.version("c") == 1
    assert {each.model for each in lab.manager.slots() if each.serving} == {"a", "c"}

    await lab.note(90, "d")
    with pytest.raises(LoadFailedError, match="it takes 1000 bytes, and MEMORY allows 200 for all models"):
        await lab.version("d")
    assert {each.model for each in lab.manager.slots() if each.serving} == {"a", "c"}


async def test_bytes_are_known_as_long_as_a_version_with_them_should_serve(lab: Lab) -> None:
    """Whatever its number; so what is deleted elsewhere under another one is kept here."""
    await lab.note(1)
    first = put_model(lab.store, 1).artifact
    assert lab.manager.knows(first)

    await lab.note(2)
    assert not lab.manager.knows(first)
    assert lab.manager.knows(put_model(lab.store, 2, model="other").artifact)
