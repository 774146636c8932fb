"""What prediction does about a model that was deleted: a replica serves it no longer, and no file is taken for it."""

from pathlib import Path

import httpx
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.models import DeletedVersion, ModelDeleted
from interlock_prediction.batch.submission import BatchSubmitter, ModelNotAvailableError
from interlock_prediction.handlers import drop_model
from interlock_runtime.clients import IngestClient, Missing, RegistryClient
from interlock_serving.eviction import ModelMemory
from interlock_serving.manager import LoadReport, ModelManager
from interlock_serving.slot import ServedModel
from pydantic import SecretStr

from tests.support.signing import TRUST
from tests.support.stored_models import loader_in, promotion, put_model

TOLD = "model 'flights' was deleted by ada"


async def test_a_replica_forgets_a_deleted_model_and_drops_its_copies(tmp_path: Path) -> None:
    """Delivered twice, it is done once."""
    store = MemoryStore()
    loader = loader_in(store, tmp_path)
    ref = put_model(store, 1)
    loader.load(ref)

    async def report(_: LoadReport[ServedModel]) -> None: ...

    memory = ModelMemory(1 << 30, "MEMORY")
    manager = ModelManager("replica", loader, TRUST, memory, serve=ServedModel.of, report=report)
    await manager.note_promotion(promotion(1, ref=ref), cause="c")
    version = DeletedVersion(version=1, artifact=ref.artifact)
    for _ in range(2):
        await drop_model(ModelDeleted(model="flights", versions=[version], seq=2, by="ada"), manager, loader)

    assert manager.promotion("flights") is None
    assert not (tmp_path / ref.artifact.sha256).exists()


@pytest.mark.parametrize(("status", "title"), [(410, "Deleted model"), (404, "Unknown model")])
async def test_a_file_for_a_model_that_is_not_there_is_refused_as_the_registry_says(status: int, title: str) -> None:
    """One that was deleted is told from one that never was."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json={"title": "t", "status": status, "detail": TOLD})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        registry = RegistryClient("registry", "http://registry", SecretStr("key"), client)
        ingest = IngestClient("ingest", "http://ingest", SecretStr("key"), client)
        submitter = BatchSubmitter(MemoryStore(), registry, ingest, TRUST, ray_bytes=None)
        with pytest.raises(ModelNotAvailableError, match=TOLD) as caught:
            await submitter.scoring_context("flights")

    assert caught.value.missing == Missing(TOLD, deleted=status == 410)
    assert (caught.value.missing.status, caught.value.missing.title) == (status, title)
