"""The way of a model, step by step, in one process: read this test to see what follows what."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from interlock_contracts.event import Envelope
from interlock_contracts.training import RetrainRequested
from interlock_ingest.collector import Collector
from interlock_messaging import Bus
from interlock_messaging.publishing import send

from tests.journey.system import System
from tests.support.dependencies import dependency
from tests.support.stack_user import ROW, csv, pipeline

pytestmark = pytest.mark.integration

FIRST_FILE = ["pipeline.applied", "dataset.ingested"]
TRAINED = ["training.queued", "training.started", "training.completed", "model.registered"]
PROMOTED = ["evaluation.passed", "model.promoted", "model.serving"]


@pytest.fixture
async def system(servers: dict[str, str], tmp_path: Path) -> AsyncIterator[System]:
    async with System(servers, tmp_path).running() as made:
        yield made


async def retrain(system: System, name: str, cause: str) -> None:
    """Publish what anyone outside may publish."""
    event = RetrainRequested(model=name, reason="a look")
    envelope = Envelope.of(event, source="outside", cause=cause, now=datetime.now(UTC))
    await send(dependency(system.gateway, Bus).publisher, envelope, event.body())


async def test_the_journey_of_a_model(system: System) -> None:
    """A file goes in, a proven model serves; a better one replaces it, a worse one does not; a repeat does nothing."""
    name = f"journey-{uuid4().hex[:8]}"

    # A user applies a pipeline and uploads a file: ingest checks it and splits off the holdout.
    await system.ask(system.registry, "PUT", f"/pipelines/{name}", json=pipeline(name))
    await system.settle()
    await system.ask(system.ingest, "POST", f"/datasets/{name}", content=csv(200, seed=1, slope=2.5))
    await system.settle()
    assert system.said == FIRST_FILE

    # Somebody asks for a training: dispatcher, trainer, registry, gate, registry, gateway.
    system.said.clear()
    await retrain(system, name, cause="first")
    await system.settle()
    assert [said for said in system.said if said != "training.progressed"] == ["retrain.requested", *TRAINED, *PROMOTED]
    answer = (await system.ask(system.gateway, "POST", f"/models/{name}/predict", json={"rows": [ROW]})).json()
    assert answer["version"] == 1

    # The very same event again: nobody does anything.
    system.said.clear()
    await retrain(system, name, cause="first")
    await system.settle()
    assert system.said == ["retrain.requested"]

    # More and better data: version 2 beats version 1 on the same held-out rows, and replaces it.
    await system.ask(system.ingest, "POST", f"/datasets/{name}", content=csv(4000, seed=2, noise=0.3))
    await system.settle()
    system.said.clear()
    await retrain(system, name, cause="second")
    await system.settle()
    assert {"model.promoted", "model.retired", "model.serving"} <= set(system.said)
    answer = (await system.ask(system.gateway, "POST", f"/models/{name}/predict", json={"rows": [ROW]})).json()
    assert answer["version"] == 2
    assert answer["predictions"][0] == pytest.approx(3.0, abs=0.5)

    # Nothing new: the candidate is as good, not better, so the gate refuses it and version 2 serves on.
    system.said.clear()
    await retrain(system, name, cause="third")
    await system.settle()
    assert system.said[-1] == "evaluation.failed"
    (run, *_) = (await system.ask(system.dispatch, "GET", f"/runs?model={name}")).json()
    assert (run["state"], run["version"]) == ("refused", 3)
    assert (run["requested_by"], run["request_reason"]) == ("event//interlock/outside", "a look")
    serving = (await system.ask(system.registry, "GET", f"/models/{name}")).json()["serving"]
    assert (serving["ref"]["version"], serving["promotion_seq"]) == (2, 2)

    # Versions 2 and 3 were measured on the same rows; 1 and 2 were not, but the gate has compared them on those of 2.
    same = (await system.ask(system.registry, "GET", f"/models/{name}/compare?a=2&b=3")).json()
    other = (await system.ask(system.registry, "GET", f"/models/{name}/compare?a=1&b=2")).json()
    assert (same["comparable"], same["parameters"], len(same["datasets"]["both"])) == (True, [], 2)
    assert (other["comparable"], {each["better"] for each in other["metrics"]}) == (False, {None})
    assert (other["measured_together"]["better"], other["measured_together"]["holdout_of"]) == ("b", 2)

    # Archived, the model takes no new training, until it is brought back.
    for archived, reason in ((True, f"model {name!r} is archived; bring it back first"), (False, None)):
        await system.ask(system.registry, "PATCH", f"/models/{name}", json={"archived": archived})
        await system.settle()
        system.said.clear()
        await retrain(system, name, cause=f"archived: {archived}")
        await system.settle()
        (run, *_) = (await system.ask(system.dispatch, "GET", f"/runs?model={name}")).json()
        trainable = await system.ask(system.dispatch, "GET", f"/models/{name}/trainable")
        assert (run["state"] == "failed", trainable.status_code) == ((True, 409) if archived else (False, 200))
        assert run["reason"] == reason or not archived


async def test_the_gate_judges_on_a_file_of_its_own(system: System) -> None:
    """An evaluation file starts nothing; from the next run on candidate and champion are judged on all of its rows."""
    name = f"journey-{uuid4().hex[:8]}"
    await system.ask(system.registry, "PUT", f"/pipelines/{name}", json=pipeline(name, trigger=["data"]))
    await system.settle()
    await system.ask(system.ingest, "POST", f"/datasets/{name}", content=csv(200, seed=1, slope=2.5))
    await system.settle()

    system.said.clear()
    own = csv(300, seed=9, noise=0.3)
    kept = await system.ask(system.ingest, "POST", f"/datasets/{name}?role=evaluation", content=own)
    await system.settle()
    assert system.said == ["dataset.ingested"]

    for seed in (2, 3):
        await system.ask(system.ingest, "POST", f"/datasets/{name}", content=csv(4000, seed=seed, noise=0.3))
        await system.settle()
    first, second, third = [
        (await system.ask(system.registry, "GET", f"/models/{name}/versions/{number}")).json() for number in (1, 2, 3)
    ]
    digest = kept.json()["digest"]
    assert (first["evaluation"], first["report"]["evaluation"]) == (None, None)
    for version in (second, third):
        assert version["evaluation"] == version["report"]["evaluation"] == digest
        assert version["report"]["rows"] == 300
        assert digest not in version["datasets"]
    assert second["against"] == 1
    assert len(third["datasets"]) == 3

    # Versions 2 and 3 learned from different files, but were measured on the same rows; 1 was measured on others.
    same = (await system.ask(system.registry, "GET", f"/models/{name}/compare?a=2&b=3")).json()
    other = (await system.ask(system.registry, "GET", f"/models/{name}/compare?a=1&b=2")).json()
    used = (await system.ask(system.registry, "GET", f"/models/{name}/versions?dataset={digest}")).json()
    assert (same["comparable"], len(same["datasets"]["only_b"])) == (True, 1)
    assert (other["comparable"], "different held-out rows" in other["note"]) == (False, True)
    assert other["measured_together"]["holdout_of"] == 2
    assert sorted(each["version"] for each in used) == [2, 3]


async def test_a_refused_file_trains_nothing_and_says_every_reason(system: System) -> None:
    """Bad data stops at the door."""
    name = f"journey-{uuid4().hex[:8]}"
    await system.ask(system.registry, "PUT", f"/pipelines/{name}", json=pipeline(name, trigger=["data"]))
    await system.settle()
    bad = csv(200, seed=1).replace(b"red", b"purple").replace(b"size,", b"sise,")
    answer = await system.ask(system.ingest, "POST", f"/datasets/{name}", content=bad)
    await system.settle()

    assert system.said == ["pipeline.applied", "dataset.rejected"]
    view = (await system.ask(system.ingest, "GET", answer.headers["location"])).json()
    assert {reason["rule"] for reason in view["reasons"]} >= {"missing_column", "values"}


async def test_a_deleted_model_leaves_nothing_that_serves_trains_or_is_taken_in(system: System) -> None:
    """One word of the registry, said twice, reaches every service; the files are tombstones, and the name is gone."""
    name = f"journey-{uuid4().hex[:8]}"
    await system.ask(system.registry, "PUT", f"/pipelines/{name}", json=pipeline(name))
    await system.settle()
    uploaded = await system.ask(system.ingest, "POST", f"/datasets/{name}", content=csv(200, seed=1, slope=2.5))
    file = f"/datasets/{name}/{uploaded.json()['digest']}"
    await system.settle()
    await retrain(system, name, cause=f"{name}: first")
    await system.settle()
    predict = ("POST", f"/models/{name}/predict")
    assert (await system.ask(system.gateway, *predict, json={"rows": [ROW]})).status_code == 200

    await system.ask(system.registry, "PATCH", f"/models/{name}", json={"archived": True})
    await system.settle()
    system.said.clear()
    for _ in range(2):
        deleted = await system.ask(system.registry, "DELETE", f"/models/{name}", json={"name": name})
        assert (deleted.status_code, deleted.json()["versions"]) == (200, 1)
        await system.settle()
    assert system.said == ["model.deleted"]
    await dependency(system.ingest, Collector).run_once()

    # The registry, which would tell why, has no address here.
    assert (await system.ask(system.gateway, *predict, json={"rows": [ROW]})).status_code == 503
    for app, method, path in (
        (system.registry, "GET", f"/models/{name}/versions/1"),
        (system.registry, "PUT", f"/pipelines/{name}"),
        (system.dispatch, "GET", f"/models/{name}/trainable"),
        (system.ingest, "POST", f"/datasets/{name}"),
        (system.ingest, "GET", f"/datasets/{name}"),
        (system.ingest, "GET", file),
    ):
        answer = await system.ask(app, method, path, json=pipeline(name) if method == "PUT" else None)
        assert (answer.status_code, "was deleted by" in answer.json()["detail"]) == (410, True), (path, answer.text)
    await retrain(system, name, cause=f"{name}: second")
    await system.settle()
    (run, *_) = (await system.ask(system.dispatch, "GET", f"/runs?model={name}")).json()
    assert (run["state"], "was deleted by" in run["reason"]) == ("failed", True)
