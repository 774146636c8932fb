"""Which worker serves what, as the registry knows it: on a real database, by events and by reports."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from interlock_contracts.event import Envelope
from interlock_contracts.http import RolloutCounts
from interlock_contracts.models import ModelLoadFailed, ModelServing
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.rollout import HeldModel, RolloutView, WorkerReport
from interlock_contracts.stages import PRODUCTION
from interlock_registry import convergence, handlers
from interlock_registry.convergence import WorkerModelRow, WorkerRow
from interlock_registry.store import ModelRow, PromotionRow, VersionRow
from interlock_runtime.database import Database
from sqlalchemy import select

pytestmark = pytest.mark.integration

MODEL = "flights"


class Registry:
    """Convergence of version 7, promoted as number 9, in the registry."""

    def __init__(self, servers: dict[str, str]) -> None:
        self.database = Database(servers["INTERLOCK_POSTGRES_URL"], f"registry-{uuid4().hex[:8]}")

    async def promote(self) -> None:
        async with self.database.sessions() as session, session.begin():
            session.add(ModelRow(name=MODEL, versions=7, champion=7, promotion_seq=9))
            await session.flush()
            ref = ArtifactRef(sha256="a" * 64, bytes=1).model_dump()
            session.add(
                VersionRow(
                    model=MODEL,
                    version=7,
                    stage="champion",
                    run_id=uuid4(),
                    pipeline_digest="b" * 64,
                    artifact=ref,
                    manifest=ref,
                    report=ref,
                    datasets=[],
                )
            )
            for seq in range(1, 10):
                await session.flush()
                session.add(PromotionRow(model=MODEL, seq=seq, version=7, cause="gate"))

    async def deliver(self, event: ModelServing | ModelLoadFailed, *, ago: float = 0.0) -> None:
        published = datetime.now(UTC) - timedelta(seconds=ago)
        cause = Envelope.of(event, source="test", cause=str(uuid4()), now=published)
        async with self.database.sessions() as session, session.begin():
            if isinstance(event, ModelServing):
                await handlers.record_serving(event, cause, session)
            else:
                await handlers.record_load_failure(event, cause, session)

    async def report(self, worker: str, *held: HeldModel, seconds: float = 10.0) -> None:
        async with self.database.sessions() as session, session.begin():
            await convergence.record(session, worker, WorkerReport(seconds=seconds, models=list(held)))

    async def rollout(self) -> RolloutView:
        """Return how far the promotion has come; the counts of the list of models are the same."""
        async with self.database.sessions() as session:
            found = await convergence.convergence(session, await session.get_one(PromotionRow, (MODEL, 9)))
            failed = sum(each.state == "failed" for each in found.by_worker)
            counted = {"serving": found.serving, "failed": failed, "workers": found.workers}
            assert await convergence.counts(session) == {
                (MODEL, PRODUCTION): RolloutCounts(**counted, converged=found.converged)
            }
        return found

    async def states(self) -> dict[str, str]:
        return {each.worker: each.state for each in (await self.rollout()).by_worker}


@pytest.fixture
async def registry(servers: dict[str, str]) -> AsyncIterator[Registry]:
    made = Registry(servers)
    async with made.database.ready("interlock_messaging", "interlock_registry"):
        await made.promote()
        yield made


def serving(worker: str, seq: int = 9, version: int = 7) -> ModelServing:
    return ModelServing(model=MODEL, version=version, worker=worker, promotion_seq=seq, load_seconds=0.1)


def held(seq: int | None = 9, *, known: int = 9, failed: int | None = None) -> HeldModel:
    version = None if seq is None else seq - 2
    failure = None if failed is None else "truncated"
    return HeldModel(
        model=MODEL, known_seq=known, version=version, promotion_seq=seq, failed_seq=failed, failure=failure
    )


async def test_a_rollout_counts_who_serves_and_tells_why_others_do_not(registry: Registry) -> None:
    """Three of five: one does not know it, one could not load and serves the old version."""
    for worker in ("a", "b", "c"):
        await registry.deliver(serving(worker))
    await registry.report("d")
    await registry.deliver(serving("e", seq=8, version=6))
    await registry.deliver(ModelLoadFailed(model=MODEL, version=7, worker="e", promotion_seq=9, reason="truncated"))
    seen = await registry.rollout()

    assert (seen.version, seen.promotion_seq, seen.serving, seen.workers, seen.converged) == (7, 9, 3, 5, False)
    failed = next(each for each in seen.by_worker if each.worker == "e")
    assert (failed.state, failed.version, failed.failure) == ("failed", 6, "truncated")
    assert [each.worker for each in seen.by_worker][:2] == ["d", "e"], "who does not serve it comes first"
    assert (await registry.states())["d"] == "waiting"


async def test_a_rollout_has_converged_when_every_living_worker_has_it_or_will_load_it_when_asked(
    registry: Registry,
) -> None:
    """A worker whose memory is full knows of the promotion; that is as far as it goes before the first request."""
    assert not (await registry.rollout()).converged, "nobody is not everybody"
    await registry.report("a", held())
    await registry.report("b", held(None))

    assert await registry.states() == {"a": "serving", "b": "unloaded"}
    assert (await registry.rollout()).converged


async def test_an_older_event_or_report_takes_nothing_back(registry: Registry) -> None:
    """Messages may come late or twice, and a report may have been written before the swap that an event tells of."""
    await registry.deliver(serving("a"))
    await registry.deliver(serving("a", seq=8, version=6))
    await registry.report("a", held(8, known=8))

    assert await registry.states() == {"a": "serving"}


async def test_a_worker_without_reports_is_gone(registry: Registry) -> None:
    """A killed worker reports nothing, and must not hold up convergence for ever; one that stops withdraws."""
    await registry.deliver(serving("killed", seq=8, version=6), ago=31)
    await registry.deliver(serving("late", seq=8, version=6), ago=20)
    await registry.report("stopped", held(8, known=8))
    async with registry.database.sessions() as session, session.begin():
        await convergence.leave(session, "stopped")
    assert await registry.states() == {"late": "waiting"}

    await registry.report("new", held())
    async with registry.database.sessions() as session:
        assert set(await session.scalars(select(WorkerRow.name))) == {"late", "new"}
        assert set(await session.scalars(select(WorkerModelRow.worker))) == {"late", "new"}


async def test_what_a_worker_does_not_report_it_does_not_hold(registry: Registry) -> None:
    """A report is the whole."""
    await registry.report("a", held())
    await registry.report("a")

    assert await registry.states() == {"a": "waiting"}


async def test_a_promotion_that_never_was_leaves_no_trace(registry: Registry) -> None:
    """A forged number, refused by a worker, must not make its later reports look old."""
    await registry.report("a", held(8, known=8))
    forged = ModelLoadFailed(model=MODEL, version=7, worker="a", promotion_seq=1_000_000, reason="not signed")
    await registry.deliver(forged)
    await registry.report("a", held())

    assert await registry.states() == {"a": "serving"}
