"""Runs that import a model: asked for over REST, queued beside trainings, and deleted with their model."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import pytest
from interlock_contracts.event import Envelope
from interlock_contracts.models import ModelDeleted
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.training import TrainingJob
from interlock_runtime.clients import RegistryClient
from interlock_train_dispatch import handlers, imports
from pydantic import SecretStr

from tests.support.dispatcher import Dispatcher, answering, dispatching
from tests.support.mlflow_folders import archive, files_of

pytestmark = pytest.mark.integration

UPLOAD = archive(files_of("xgboost_regression"))


@pytest.fixture
async def dispatcher(servers: dict[str, str]) -> AsyncIterator[Dispatcher]:
    """Return a dispatcher with one model and one accepted file."""
    async with dispatching(servers) as made:
        yield made


async def post(dispatcher: Dispatcher, content: bytes, **how: str) -> httpx.Response:
    unknown = httpx.MockTransport(lambda _: httpx.Response(404, json={}))  # it is not asked about what is here
    async with httpx.AsyncClient(transport=unknown) as to:
        registry = RegistryClient("registry", "http://registry", SecretStr("key"), to)
        async with answering(dispatcher, registry) as http:
            return await http.post(f"/models/{dispatcher.model}/import", content=content, params=how)


async def imported(dispatcher: Dispatcher) -> UUID:
    answer = await post(dispatcher, UPLOAD)
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["run_id"])


async def test_an_import_is_a_run_of_its_own_program(dispatcher: Dispatcher) -> None:
    """The job has the upload and the files of the pipeline's window; the run says what it imports, and who asked."""
    answer = await post(dispatcher, UPLOAD, reason="the team's own")
    run_id = UUID(answer.json()["run_id"])
    assert answer.headers["location"] == f"/runs/{run_id}"
    await dispatcher.steps()

    run = await dispatcher.run(run_id)
    job = TrainingJob.model_validate_json(dispatcher.store.fetch(ArtifactRef.model_validate(run.job)))
    assert job.imported is not None
    assert dispatcher.store.fetch(job.imported) == UPLOAD
    assert len(job.datasets) == 1
    assert set(dispatcher.cluster.programs.values()) == {"interlock_trainer.imports"}
    async with answering(dispatcher) as http:
        view = (await http.get(f"/runs/{run_id}")).json()
    assert (view["imported"], view["request_reason"]) == (job.imported.sha256, "the team's own")
    assert await dispatcher.published(run_id) == ["training.queued", "training.started"]


async def test_an_import_joins_no_training_and_no_training_joins_it(dispatcher: Dispatcher) -> None:
    """Each is queued by itself while the model trains, and all of them run, one after the other."""
    busy = await dispatcher.request()
    await dispatcher.steps()
    first, second = await imported(dispatcher), await imported(dispatcher)
    waiting, joined = await dispatcher.request(), await dispatcher.request()

    states = [(await dispatcher.run(each)).state for each in (busy, first, second, waiting, joined)]
    assert states == ["running", "queued", "queued", "queued", "coalesced"]
    for run in (busy, first, second, waiting):
        assert (await dispatcher.run(run)).state == "running"
        await dispatcher.change(run, state="succeeded", submitted=False, ended_at=datetime.now(UTC))
        await dispatcher.steps()
    programs = [program.removeprefix("interlock_trainer") for program in dispatcher.cluster.programs.values()]
    assert programs == ["", ".imports", ".imports", ""]


@pytest.mark.parametrize(
    ("content", "status", "why"),
    [
        (b"no archive", 422, "not a tar archive"),
        (archive({"model/MLmodel": b""}), 422, "no MLmodel at the top"),
        (archive({"MLmodel": b"flavors: {sklearn: {}}"}), 422, "only onnx and xgboost are imported"),
        (archive({"../MLmodel": b""}), 422, "leads out of the folder"),
        (bytes(imports.UPLOAD_BYTES + 1), 413, "at most"),
    ],
    ids=["text", "folder", "flavour", "traversal", "size"],
)
async def test_what_is_not_imported_is_refused_at_once(
    dispatcher: Dispatcher, content: bytes, status: int, why: str
) -> None:
    """Before there is a run, and nothing is stored."""
    answer = await post(dispatcher, content)

    assert answer.status_code == status
    assert why in answer.json()["detail"]
    async with answering(dispatcher) as http:
        assert (await http.get("/runs", params={"model": dispatcher.model})).json() == []
    assert dispatcher.store.objects == {}


async def test_the_upload_of_a_deleted_model_goes_unless_another_run_has_the_same(dispatcher: Dispatcher) -> None:
    """It is stored by content, so two models may share one."""
    other = Dispatcher.beside(dispatcher)
    await other.add_spec()
    mine, theirs = await imported(dispatcher), await imported(other)
    key = ArtifactRef.model_validate((await other.run(theirs)).imported).key

    await delete(dispatcher)
    assert dispatcher.store.read(key) is not None
    assert (await dispatcher.run(mine)).imported is None
    await delete(other)
    assert dispatcher.store.read(key) is None


async def delete(dispatcher: Dispatcher) -> None:
    event = ModelDeleted(model=dispatcher.model, seq=2, by="ada", versions=[])
    cause = Envelope.of(event, source="registry", cause=str(uuid4()), now=datetime.now(UTC))
    async with dispatcher.bus.transaction() as session:
        await handlers.forget_model(event, cause, session)
    await dispatcher.deletion.run_once()
