"""Who dies where, and what a user did to bring it about. Each cause ends when its effect is there, exactly once."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

from interlock_contracts.datasets import DatasetIngested, DatasetSubmitted
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef
from interlock_contracts.training import TrainingCancelRequested

from tests.chaos.deletions import CSV, deletes, deletes_model
from tests.chaos.rereading import reads_again
from tests.chaos.user import eventually
from tests.chaos.world import ANYTHING, World
from tests.support.stack_user import ROW, csv, pipeline

TRAINER = "trainer"


class Death(NamedTuple):
    """One row of the matrix."""

    point: str
    service: str
    cause: Callable[[World], Awaitable[None]]


async def trains(world: World, name: str | None = None) -> None:
    """Ask for a training: one run, one version, one promotion, and it serves."""
    name = name or world.model
    run: str = (await world.user.json("POST", f"/models/{name}/retrain", json={}))["run_id"]
    ended = await world.user.ended(run)
    assert ended["state"] == "succeeded", ended
    assert (
        await world.count(
            "registry.version where run_id = :run and version = :version", run=run, version=ended["version"]
        )
        == 1
    )
    assert await world.said("train_dispatch", "training.completed", run) == 1
    jobs = {each for each in world.system.jobs.submissions if each.startswith(run)}
    assert len(jobs) == ended["attempt"]
    if name == world.model:
        promoted = "registry.promotion where model = :model and version = :version"
        assert await world.count(promoted, model=name, version=ended["version"]) == 1


async def tries_again(world: World) -> None:
    """Ask for a training whose first job dies: the second attempt makes the one version."""
    await trains(world)
    newest = "select attempt from train_dispatch.run where model = :model order by created_at desc limit 1"
    assert await world.first(newest, model=world.model) == 2


async def uploads(world: World) -> None:
    """Upload a file: one verdict, said once."""
    file = csv(60, seed=uuid4().int % 2**32)
    await world.user.insist("POST", f"/datasets/{world.approved}", content=file, headers=CSV)
    await _has_verdict(world, hashlib.sha256(file).hexdigest())


async def submits(world: World) -> None:
    """Name an object over the bus: the same."""
    file, key = csv(60, seed=uuid4().int % 2**32), f"incoming/{world.approved}/{uuid4()}.csv"
    world.system.store.put_latest(key, file)
    await world.publish(DatasetSubmitted(pipeline=world.approved, object=key))
    await _has_verdict(world, hashlib.sha256(file).hexdigest())


async def _has_verdict(world: World, digest: str) -> None:
    await eventually(lambda: world.count("ingest.dataset where digest = :digest and state = 'accepted'", digest=digest))
    assert await world.said("ingest", "dataset.ingested", digest) == 1
    await eventually(lambda: world.count("train_dispatch.dataset where digest = :digest", digest=digest))


async def applies(world: World) -> None:
    """Apply a pipeline: one revision, said once, known to those who need it."""
    name = f"m-{uuid4().hex[:8]}"
    await world.user.json("PUT", f"/pipelines/{name}", json=pipeline(name))
    assert await world.said("registry", "pipeline.applied", f'"{name}"') == 1
    for service in ("ingest", "train_dispatch"):
        await eventually(partial(world.count, f"{service}.spec where pipeline = :name and revision = 1", name=name))


async def approves(world: World) -> None:
    """Approve a version that waits: promoted once."""
    await trains(world, world.approved)
    newest = await world.first("select max(version) from registry.version where model = :name", name=world.approved)
    passed = "registry.version where model = :name and version = :version and stage = 'passed'"
    await eventually(lambda: world.count(passed, name=world.approved, version=newest))
    answer = await world.user.insist("POST", f"/models/{world.approved}/versions/{newest}/approve", json={})
    assert answer.is_success, answer.text
    promoted = "registry.promotion where model = :model and version = :version and cause = 'approval'"
    assert await world.count(promoted, model=world.approved, version=newest) == 1


async def rolls_back(world: World) -> None:
    """Roll back to a version by its number: promoted once more."""
    await trains(world)
    await trains(world)
    before = await world.count("registry.promotion where model = :model", model=world.model)
    served = "select version from registry.promotion where model = :model and seq = :seq"
    earlier = await world.first(served, model=world.model, seq=before - 1)
    await world.user.json("POST", f"/models/{world.model}/rollback", json={"version": earlier})
    assert await world.count("registry.promotion where model = :model", model=world.model) == before + 1


async def advances(world: World) -> None:
    """Promote a version from staging to production: promoted there once."""
    name = await _staged(world)
    await trains(world, name)
    answer = await world.user.insist("POST", f"/models/{name}/versions/1/promote", json={"to": "production"})
    assert answer.is_success, answer.text
    promoted = "registry.promotion where model = :model and version = 1 and stage = :stage"
    for stage in ("staging", "production"):
        await eventually(partial(world.count, promoted, model=name, stage=stage))
        assert await world.count(promoted, model=name, stage=stage) == 1


async def _staged(world: World) -> str:
    """Return the name of a new pipeline of two stages that has a file to train on."""
    name, file = f"m-{uuid4().hex[:8]}", csv(200, seed=1)
    spec = pipeline(name, gate=ANYTHING) | {"stages": ["staging", "production"]}
    await world.user.json("PUT", f"/pipelines/{name}", json=spec)
    await world.user.insist("POST", f"/datasets/{name}", content=file, headers=CSV)
    await eventually(lambda: world.count("train_dispatch.dataset where pipeline = :name", name=name))
    return name


async def deletes_file(world: World) -> None:
    """Delete a file: said once, nobody trains on it, and its objects are gone."""
    file = csv(60, seed=uuid4().int % 2**32)
    digest = hashlib.sha256(file).hexdigest()
    await world.user.insist("POST", f"/datasets/{world.approved}", content=file, headers=CSV)
    await _has_verdict(world, digest)
    stored = await world.first("select dataset from ingest.dataset where digest = :digest", digest=digest)

    async def accepted() -> bool:
        return (await world.user.insist("DELETE", f"/datasets/{world.approved}/{digest}")).is_success

    await eventually(accepted)  # refused as long as a run that the file has brought uses it
    await eventually(lambda: world.count("train_dispatch.deleted where digest = :digest", digest=digest))
    for kept in (ArtifactRef(sha256=digest, bytes=len(file), holdout=True), DatasetRef.model_validate(stored).train):
        gone = "ingest.dataset where not exists (select from ingest.unwanted where key = :key) limit 1"
        await eventually(partial(world.count, gone, key=kept.key))
        assert world.system.store.stored_at(kept.key) is None
    assert await world.said("ingest", "dataset.deleted", digest) == 1
    noted = "registry.audit where action = 'dataset.deleted' and subject = :subject"
    await eventually(lambda: world.count(noted, subject=f"dataset/{world.approved}/{digest}"))


async def cancels(world: World) -> None:
    """Cancel a run that trains: it ends once, and its job is stopped."""
    run: str = (await world.user.json("POST", f"/models/{world.slow}/retrain", json={}))["run_id"]
    await eventually(lambda: f"{run}-a1" in world.system.jobs.submissions)
    await world.user.insist("POST", f"/runs/{run}/cancel")
    assert (await world.user.ended(run))["state"] == "cancelled"
    await eventually(lambda: world.system.jobs.process(f"{run}-a1").status is not None)
    assert await world.said("train_dispatch", "training.failed", run) == 1


async def asks_later(world: World) -> None:
    """Ask for an asynchronous prediction, under a key of one's own: one answer, said once."""
    await _asked_later(world)


async def _asked_later(world: World, **body: Any) -> str:
    await _something_serves(world)
    key = {"Idempotency-Key": str(uuid4())}
    path = f"/models/{world.model}/predictions"
    prediction: str = (await world.user.json("POST", path, json={"rows": [ROW], **body}, headers=key))["id"]
    await _is_answered(world, prediction)
    return prediction


async def wants_to_be_told(world: World) -> None:
    """Ask for a webhook too; it is told again once the lease of whoever died is over, which is looked at in the end."""
    world.to_be_told.append(await _asked_later(world, webhook={"url": world.webhooks}))


async def sends_file(world: World) -> None:
    """Send a file to be answered: one answer, said once."""
    await _something_serves(world)
    file, key = csv(20, seed=1), {"Idempotency-Key": str(uuid4())}
    path = f"/models/{world.model}/predictions"
    prediction = (await world.user.json("POST", path, content=file, headers=CSV | key))["id"]
    await _is_answered(world, prediction)


async def _is_answered(world: World, prediction: str) -> None:
    async def ended() -> dict[str, Any] | None:
        answer = await world.user.insist("GET", f"/predictions/{prediction}")
        return answer.json() if answer.is_success and answer.json()["ended_at"] else None

    view: dict[str, Any] = await eventually(ended)
    assert view["state"] == "completed", view
    assert await world.said("prediction", "prediction.completed", prediction) == 1


async def _something_serves(world: World) -> None:
    if not await world.count("registry.promotion where model = :model", model=world.model):
        await trains(world)


async def announces_early(world: World) -> None:
    """Let a file be announced before its pipeline is known: the message waits outside, and then counts once."""
    accepted = await world.first("select dataset from ingest.dataset where pipeline = :name", name=world.model)
    known = DatasetRef.model_validate(accepted)
    dying, name = world.system.processes["train_dispatch"], f"m-{uuid4().hex[:8]}"
    digest = Pipeline.model_validate(pipeline(name)).digest
    profile = world.system.store.put(b"{}")
    event = DatasetIngested(pipeline=name, pipeline_digest=digest, dataset=known, batch=1, profile=profile)
    await world.publish(event, service="ingest")
    await eventually(lambda: dying.status is not None)
    await world.user.json("PUT", f"/pipelines/{name}", json=pipeline(name))
    await eventually(lambda: world.count("train_dispatch.dataset where pipeline = :name", name=name))


async def talks_nonsense(world: World) -> None:
    """Cancel a run that never was: a dead letter, maybe twice, with the event's own id."""
    dying = world.system.processes["train_dispatch"]
    nonsense = await world.publish(TrainingCancelRequested(run_id=uuid4(), reason="it never was"))
    await eventually(lambda: dying.status is not None)
    await eventually(lambda: world.system.processes.get("train_dispatch", dying) is not dying)
    await world.system.ready("train_dispatch")
    last = await world.publish(TrainingCancelRequested(run_id=uuid4(), reason="nor this one; it comes after the other"))
    letters: list[str] = []

    async def buried() -> bool:
        letters.extend(await world.letters())
        return last.id in letters

    await eventually(buried)
    assert set(letters) == {nonsense.id, last.id}


MATRIX = (
    # Before any model serves: a gateway that knows one loads it when it starts.
    Death("gateway.swap.loaded", "gateway", trains),
    Death("gateway.swap.done", "gateway", trains),
    Death("gateway.swap.remembered", "gateway", trains),
    Death("relay.before_send", "ingest", uploads),
    Death("relay.before_send", "train_dispatch", trains),
    Death("relay.before_send", "registry", trains),
    Death("relay.before_send", "prediction", asks_later),
    Death("relay.after_confirm", "ingest", uploads),
    Death("relay.after_confirm", "train_dispatch", trains),
    Death("relay.after_confirm", "registry", trains),
    Death("delivery.before_inbox", "train_dispatch", trains),
    Death("delivery.before_commit", "train_dispatch", trains),
    Death("delivery.after_commit", "train_dispatch", trains),
    Death("delivery.before_commit", "registry", trains),
    Death("delivery.after_commit", "registry", trains),
    Death("delivery.before_retry", "train_dispatch", announces_early),
    Death("delivery.after_retry", "train_dispatch", announces_early),
    Death("delivery.before_dead_letter", "train_dispatch", talks_nonsense),
    Death("delivery.after_dead_letter", "train_dispatch", talks_nonsense),
    Death("batches.before_commit", "prediction", asks_later),
    Death("batches.after_commit", "prediction", asks_later),
    Death("registry.apply.before_commit", "registry", applies),
    Death("registry.register.before_commit", "registry", trains),
    Death("registry.promote.before_commit", "registry", trains),
    Death("registry.approve.before_commit", "registry", approves),
    Death("registry.rollback.before_commit", "registry", rolls_back),
    Death("registry.advance.before_commit", "registry", advances),
    Death("registry.delete.before_commit", "registry", deletes),
    Death("registry.collect.deleted", "registry", deletes),
    Death("registry.delete_model.before_commit", "registry", deletes_model),
    Death("ingest.upload.stored", "ingest", uploads),
    Death("ingest.upload.committed", "ingest", uploads),
    Death("ingest.submission.stored", "ingest", submits),
    Death("ingest.check.done", "ingest", uploads),
    Death("ingest.check.parts_stored", "ingest", uploads),
    Death("ingest.reading.announced", "ingest", reads_again),
    Death("ingest.delete.before_commit", "ingest", deletes_file),
    Death("ingest.collect.deleted", "ingest", deletes_file),
    Death("ingest.collect.files", "ingest", deletes_model),
    Death("train_dispatch.prepare.job_stored", "train_dispatch", trains),
    Death("train_dispatch.submit.before", "train_dispatch", trains),
    Death("train_dispatch.submit.after", "train_dispatch", trains),
    Death("train_dispatch.complete.manifest_seen", "train_dispatch", trains),
    Death("train_dispatch.end.stopped", "train_dispatch", cancels),
    Death("trainer.artifact_stored", TRAINER, tries_again),
    Death("trainer.manifest_stored", TRAINER, trains),
    Death("evaluation_gate.report_stored", "evaluation_gate", trains),
    Death("evaluation_gate.published", "evaluation_gate", trains),
    Death("prediction.answers.computed", "prediction", asks_later),
    Death("prediction.webhook.posted", "prediction", wants_to_be_told),
    Death("prediction.file.stored", "prediction", sends_file),
    Death("prediction.file.scored", "prediction", sends_file),
    Death("gateway.prediction.accepted", "gateway", asks_later),
    Death("gateway.prediction.published", "gateway", asks_later),
)
