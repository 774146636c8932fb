"""How a file is read that is to be scored: as what will score it was trained, whatever has been applied since."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.http import DatasetView, ModelView, PipelineView
from interlock_contracts.pipeline import Pipeline
from interlock_prediction.batch.submission import BatchSubmitter, ModelNotAvailableError
from interlock_runtime.clients import IngestClient, RegistryClient
from pydantic import SecretStr

from tests.support.signing import TRUST, serving
from tests.support.stored_models import put_model

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = SecretStr("key")


def spec(delimiter: str) -> Pipeline:
    columns = {name: {"type": "number"} for name in ("size", "price")}
    data = {"columns": columns, "csv": {"delimiter": delimiter}}
    return Pipeline.model_validate({"name": "m", "task": "regression", "target": "price", "data": data})


OLD, NEW = spec(","), spec(";")


def submitter(pipeline_digest: str | None) -> BatchSubmitter:
    """Return one whose registry has both specs, the newest of which nothing was trained by."""
    promoted = serving(put_model(MemoryStore(), 1, model="m"), 1)
    promoted = promoted.model_copy(update={"pipeline_digest": pipeline_digest})

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/models/m":
            return httpx.Response(200, json=ModelView(name="m", serving=promoted, versions=1).model_dump(mode="json"))
        wanted = request.url.params.get("digest", NEW.digest)
        found = next((each for each in (OLD, NEW) if each.digest == wanted), None)
        if request.url.path != "/pipelines/m" or found is None:
            return httpx.Response(404, json={"status": 404, "title": "Unknown", "detail": "nothing is called so"})
        view = PipelineView(name="m", digest=wanted, revision=2, applied_at=NOW, changed=False, spec=found)
        return httpx.Response(200, json=view.model_dump(mode="json"))

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    registry = RegistryClient("registry", "http://registry", KEY, client)
    ingest = IngestClient("ingest", "http://ingest", KEY, client)
    return BatchSubmitter(MemoryStore(), registry, ingest, TRUST, None)


@pytest.mark.parametrize(("digest", "delimiter"), [(OLD.digest, ","), (NEW.digest, ";"), (None, ";")])
async def test_a_file_is_read_as_the_champions_spec_declares(digest: str | None, delimiter: str) -> None:
    """Not as the newest does, of which there is no version yet; a registry of before tells no digest."""
    context = await submitter(digest).scoring_context("m")

    assert context.data.csv.delimiter == delimiter


def dataset(**about: Any) -> DatasetView:
    given = {"pipeline": "m", "digest": "0" * 64, "pipeline_digest": OLD.digest, "state": "accepted", "bytes": 1}
    return DatasetView.model_validate(given | {"received_at": NOW} | about)


async def test_a_stored_dataset_is_read_as_it_was_when_it_was_checked() -> None:
    """Whatever serves by now."""
    assert (await submitter(NEW.digest).declared(dataset())).csv.delimiter == ","


async def test_an_unknown_spec_or_model_is_told() -> None:
    """By whoever knows all names."""
    with pytest.raises(ModelNotAvailableError, match="nothing is called so"):
        await submitter(None).declared(dataset(pipeline="n"))
    with pytest.raises(ModelNotAvailableError, match="nothing is called so"):
        await submitter(None).scoring_context("n")
