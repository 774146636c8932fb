"""What a worker does about a version, or a model, that was deleted."""

from pathlib import Path

import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.models import DeletedVersion, ModelDeleted, ModelVersionDeleted
from interlock_gateway.handlers import drop_copy, drop_model
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.models.last_known import PromotionCache
from interlock_serving.eviction import ModelMemory
from interlock_serving.manager import LoadReport, ModelManager
from interlock_serving.slot import ServedModel

from tests.support.signing import TRUST
from tests.support.stored_models import loader_in, promotion, put_model


@pytest.mark.parametrize("serves", [False, True])
async def test_the_copy_goes_unless_a_version_with_the_same_bytes_should_serve(tmp_path: Path, *, serves: bool) -> None:
    """The one deleted has another number; what serves here must be found without the store."""
    store = MemoryStore()
    loader = loader_in(store, tmp_path)
    ref = put_model(store, 1)
    loader.load(ref)
    manager = ModelManager[BatchedModel | ServedModel](
        "worker", loader, TRUST, ModelMemory(1 << 30, "MEMORY"), serve=ServedModel.of, report=_reported
    )
    if serves:
        await manager.note_promotion(promotion(2, ref=ref.model_copy(update={"version": 2})), cause="c")
    event = ModelVersionDeleted(model="flights", version=1, artifact=ref.artifact, by="ada")
    await drop_copy(event, manager, loader)  # type: ignore[arg-type]  # it serves nothing here

    assert (tmp_path / ref.artifact.sha256).exists() is serves


async def test_a_deleted_model_serves_no_longer_and_its_copies_go_but_for_what_another_serves(tmp_path: Path) -> None:
    """Whatever it served last, also for a start without the registry; the event comes before the registry is asked."""
    store = MemoryStore()
    loader, last_known = loader_in(store, tmp_path), PromotionCache(tmp_path, "http://registry", TRUST)
    refs = [put_model(store, number) for number in (1, 2, 3)]
    for ref in refs:
        loader.load(ref)
    manager = ModelManager[BatchedModel | ServedModel](
        "worker", loader, TRUST, ModelMemory(1 << 30, "MEMORY"), serve=ServedModel.of, report=_reported
    )
    own, shared = promotion(3, ref=refs[1]), promotion(1, ref=refs[2].model_copy(update={"model": "delays"}))
    for each in (own, shared):
        await manager.note_promotion(each, cause="c")
        last_known.note(each)
    versions = [DeletedVersion(version=each.version, artifact=each.artifact) for each in refs]
    event = ModelDeleted(model="flights", versions=versions, seq=2, by="ada")
    for _ in range(2):
        await drop_model(event, manager, loader, last_known)  # type: ignore[arg-type]  # it serves nothing here

    assert [slot.model for slot in manager.slots()] == ["delays"]
    assert [each.ref.model for each in last_known.promotions()] == ["delays"]
    assert [(tmp_path / each.artifact.sha256).exists() for each in refs] == [False, False, True]


async def _reported(_: LoadReport[BatchedModel | ServedModel]) -> None: ...
