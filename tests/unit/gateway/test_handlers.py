"""What a worker does about a version that was deleted."""

from pathlib import Path

import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.models import ModelVersionDeleted
from interlock_gateway.handlers import drop_copy
from interlock_gateway.models.batcher import BatchedModel
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


async def _reported(_: LoadReport[BatchedModel | ServedModel]) -> None: ...
