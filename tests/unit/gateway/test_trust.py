"""Wherever a promotion comes from - event, registry, the host's cache - only the registry's signature counts."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interlock_artifacts import MemoryStore
from interlock_artifacts.signing import SignatureVerifier, Signer
from interlock_contracts.models import ModelLoadFailed
from interlock_contracts.refs import ModelRef
from interlock_contracts.signature import PromotionSignature
from interlock_gateway.models.reconcile import Reconciler
from interlock_modeling import Model
from interlock_serving.promotion import Promotion

from tests.support.dependencies import dependency
from tests.support.gateway_app import opened
from tests.support.signing import PUBLIC, STRANGER, key_pair, signed
from tests.support.stored_models import RecordingBus, Worker, loader_in, promotion, put_model
from tests.support.waiting import until


class Lab:
    """A worker whose loads are counted, and its host's promotion cache."""

    def __init__(self, folder: Path, *, models: dict[ModelRef, Model] | None = None) -> None:
        self.store, self.bus, self.folder = MemoryStore(), RecordingBus(), folder
        self._loader = loader_in(self.store, folder)
        self._models = models
        self.loads: list[ModelRef] = []
        self.worker = self.another()

    def another(self) -> Worker:
        """Return a worker that starts on this host."""
        return Worker("host-1", self, self.bus, self.folder)

    def size(self, ref: ModelRef) -> int:
        return 1 if self._models else self._loader.size(ref)

    def load(self, ref: ModelRef) -> Model:
        self.loads.append(ref)
        return self._models[ref] if self._models else self._loader.load(ref)

    def promotion(self, version: int, *, seq: int | None = None) -> Promotion:
        return promotion(version, seq=seq, ref=put_model(self.store, version))

    @property
    def version(self) -> int | None:
        serving = self.worker.manager.choose_version("flights")
        return serving.version if serving else None

    def refusals(self) -> list[str]:
        return [event.reason for event, _ in self.bus.published if isinstance(event, ModelLoadFailed)]

    def close(self) -> None:
        self.worker.manager.close()


@pytest.fixture
async def lab(tmp_path: Path) -> Any:
    made = Lab(tmp_path)
    yield made
    made.close()


FORGERIES = {
    "not signed": lambda true: replace(true, signed=None),
    "signed by a stranger": lambda true: replace(true, signed=signed(true.ref, true.seq, STRANGER)),
    "signed for another number": lambda true: replace(true, seq=true.seq + 1000),
    "signed for other bytes": lambda true: replace(
        true, ref=true.ref.model_copy(update={"artifact": true.ref.manifest})
    ),
    "signed for another model": lambda true: replace(true, ref=true.ref.model_copy(update={"model": "sales"})),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
async def test_a_forged_promotion_changes_nothing_and_an_event_says_why(lab: Lab, forge: Any) -> None:
    """Not even fetched; and the true promotion of that number, and the next one, are served when they come."""
    await lab.worker.manager.apply_promotion(lab.promotion(1), cause="c")
    true = lab.promotion(2)
    for _ in range(3):
        await lab.worker.manager.apply_promotion(forge(true), cause="c")

    assert lab.version == 1
    assert [ref.version for ref in lab.loads] == [1]
    (reason,) = lab.refusals()
    assert reason.startswith("UntrustedPromotionError: it")
    assert lab.worker.manager.promotion("sales") is None
    assert [each.seq for each in lab.worker.last_known.promotions()] == [1]
    await lab.worker.manager.apply_promotion(true, cause="c")
    assert lab.version == 2


async def test_a_worker_serves_what_is_promoted_to_its_stage_and_what_is_signed_for_it(lab: Lab) -> None:
    """A promotion to staging is none to production, whoever says so in its name; nor the other way round."""
    live = lab.promotion(1)
    staged = replace(live, seq=2, signed=signed(live.ref, 2, stage="staging"), stage="staging")
    staging = Worker("host-2", lab, lab.bus, lab.folder / "staging", stage="staging")
    for worker in (lab.worker, staging):
        await worker.manager.apply_promotion(staged, cause="c")
    assert (lab.worker.loaded(), staging.loaded()) == ({}, {"flights": 1})
    assert [each.stage for each in staging.last_known.promotions()] == ["staging"]
    assert lab.refusals() == []

    before = staged.signed.model_dump(exclude={"payload_type"}) if staged.signed else {}
    for replayed in (
        replace(staged, stage="production"),
        replace(staged, stage="production", signed=PromotionSignature.model_validate(before)),
    ):
        await lab.worker.manager.apply_promotion(replayed, cause="c")
    await staging.manager.apply_promotion(replace(live, seq=3, stage="staging"), cause="c")
    assert lab.worker.loaded() == {}
    assert [reason.split(": ", 1)[1] for reason in lab.refusals()] == [
        "its signature is for another stage",
        "its signature is wrong",
        "its signature is for another promotion_seq and another stage",
    ]
    staging.manager.close()


async def test_an_older_promotion_replayed_is_not_served_however_true_its_signature(lab: Lab) -> None:
    """A signature stays true for ever; the number says that its time is over."""
    first, second = lab.promotion(1), lab.promotion(2)
    for each in (first, second, first, replace(first, trace="00-a-b-01"), second):
        await lab.worker.manager.apply_promotion(each, cause="c")

    assert lab.version == 2
    assert [ref.version for ref in lab.loads] == [1, 2]


def rewritten(folder: Path, **fields: object) -> None:
    """Change the promotion cache as somebody with the rights of its file could."""
    path = folder / "serving.json"
    pages = json.loads(path.read_bytes())
    pages["promotions"]["flights"] |= fields
    path.write_text(json.dumps(pages))


@pytest.mark.parametrize(
    "fields", [{"seq": 99}, {"signed": None}, {"ref": {}}, {"signed": {"key_id": "0" * 16}}], ids=str
)
async def test_a_changed_promotion_cache_is_not_trusted_and_is_repaired(lab: Lab, fields: dict[str, Any]) -> None:
    """A start serves nothing that is not signed; and the next promotion is remembered, whatever the file claims."""
    await lab.worker.manager.apply_promotion(lab.promotion(2), cause="c")
    rewritten(lab.folder, **fields)
    restarted = lab.another()

    assert restarted.restored() == []
    await restarted.manager.apply_promotion(lab.promotion(2), cause="c")
    assert [each.seq for each in lab.another().restored()] == [2]
    restarted.manager.close()


async def test_another_models_true_entry_does_not_stand_for_this_one(lab: Lab) -> None:
    """The signature of `sales`, put in the place of `flights`, does not keep `flights` from being remembered."""
    sales = put_model(lab.store, 9, model="sales")
    await lab.worker.manager.apply_promotion(promotion(9, ref=sales), cause="c")
    await lab.worker.manager.apply_promotion(lab.promotion(2), cause="c")
    pages = json.loads((lab.folder / "serving.json").read_bytes())
    rewritten(lab.folder, **pages["promotions"]["sales"])

    lab.worker.last_known.note(lab.promotion(3))
    assert {(each.ref.model, each.seq) for each in lab.worker.last_known.promotions()} == {("sales", 9), ("flights", 3)}


async def test_a_new_signature_of_the_same_promotion_is_remembered_without_a_load(lab: Lab) -> None:
    """After a change of keys the promotion cache must not hold on to a signature that will soon count no more."""
    private, public = key_pair(b"\3" * 32)
    await lab.worker.manager.apply_promotion(lab.promotion(1), cause="c")
    lab.worker.manager._verifier = lab.worker.last_known._trust = SignatureVerifier(PUBLIC + public)
    ref = lab.loads[0]
    renewed = Promotion(ref, 1, signed=signed(ref, 1, Signer(private)))
    await lab.worker.manager.apply_promotion(renewed, cause="c")

    assert [each.signed for each in lab.worker.last_known.promotions()] == [renewed.signed]
    assert len(lab.loads) == 1


async def test_a_registry_that_is_none_is_not_trusted(tmp_path: Path) -> None:
    """Somebody who answers at the registry's address has no key: what served before serves on."""
    async with opened(tmp_path) as door:
        door.behind.promote(put_model(door.store, 1), seq=1)
        await door.serves(1)
        door.behind.promote(put_model(door.store, 2), seq=2)
        view = door.behind.serving["flights"]
        door.behind.serving["flights"] = view.model_copy(update={"signed": signed(view.ref, 2, STRANGER)})
        refused = dependency(door.app, Reconciler)._status._untrusted
        await until(lambda: refused)
        await door.serves(1)
        door.behind.promote(put_model(door.store, 3), seq=3)
        await door.serves(3)

        assert [seq for _, seq, _ in refused] == [2]


WAYS = ("event", "registry", "restart", "forged event")
STEPS = st.lists(st.tuples(st.sampled_from(WAYS), st.integers(1, 6)), max_size=40)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_over_any_order_and_repetition_and_every_way_nothing_ever_goes_back(
    steps: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By event, by reconcile and from the promotion cache, repeated, reordered, with forgeries and restarts between."""
    store = MemoryStore()
    refs = {version: put_model(store, version) for version in range(1, 7)}
    model = loader_in(store, tmp_path_factory.mktemp("bytes")).load(refs[1])

    async def run() -> None:
        lab = Lab(tmp_path_factory.mktemp("host"), models=dict.fromkeys(refs.values(), model))
        newest = 0
        for way, seq in steps:
            true = promotion(seq, ref=refs[seq])
            match way:
                case "forged event":
                    await lab.worker.manager.apply_promotion(replace(true, seq=seq + 10), cause="c")
                case "restart":
                    lab.worker.manager.close()
                    lab.worker = lab.another()
                    for known in lab.worker.restored():
                        await lab.worker.manager.apply_promotion(known, cause="c")
                case "registry":  # tells what serves now, however often it is asked
                    newest = max(newest, seq)
                    await lab.worker.manager.apply_promotion(promotion(newest, ref=refs[newest]), cause="c")
                case _:
                    await lab.worker.manager.apply_promotion(true, cause="c")
                    newest = max(newest, seq)
            assert (lab.version or 0) == newest
        lab.close()

    asyncio.run(run())
