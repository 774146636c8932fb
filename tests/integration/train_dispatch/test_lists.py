"""Runs are found by the tags of their request and by what the gate measured."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.filters import metric_bounds, metric_order, tag_filter
from interlock_contracts.models import ModelPromoted
from interlock_train_dispatch import handlers, lists
from interlock_train_dispatch.routes import run_view
from sqlalchemy import text

from tests.support.dispatcher import REF, Dispatcher, dispatching

pytestmark = pytest.mark.integration


@pytest.fixture
async def dispatcher(servers: dict[str, str]) -> AsyncIterator[Dispatcher]:
    async with dispatching(servers) as made:
        yield made


async def listed(dispatcher: Dispatcher, *, tag: str | None = None, metric: str | None = None) -> list[UUID]:
    wanted = lists.RunFilter(model=dispatcher.model, tags=tag_filter(tag), metrics=metric_bounds(metric))
    async with dispatcher.database.sessions() as session:
        return [run.run_id for run in await lists.runs(session, wanted, limit=10)]


async def judged(dispatcher: Dispatcher, version: int, **metrics: float) -> UUID:
    """Return a run that the gate has refused."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.finish(run)
    await dispatcher.steps()
    about: Any = {"model": dispatcher.model, "version": version, "run_id": run, "report": REF}
    async with dispatcher.bus.transaction() as session:
        await handlers.end_refused_run(EvaluationFailed(**about, reasons=["r2"], metrics=metrics), session)
    return run


async def test_a_run_keeps_its_tags_and_is_found_by_them(dispatcher: Dispatcher) -> None:
    """Also one that joins another, and one that fails at once: they were asked for, too."""
    first = await dispatcher.request(tags={"team": "pricing", "audited": ""})
    joined = await dispatcher.request(tags={"team": "pricing:eu"})
    bare = await dispatcher.request()

    assert run_view(await dispatcher.run(first)).tags == {"team": "pricing", "audited": ""}
    assert run_view(await dispatcher.run(bare)).tags == {}
    assert await listed(dispatcher, tag="team:pricing") == [first]
    assert await listed(dispatcher, tag="team:pricing:eu") == [joined]
    assert await listed(dispatcher, tag="team") == [joined, first]
    assert await listed(dispatcher, tag="team,audited") == [first]
    assert await listed(dispatcher, tag="squad") == []
    assert await listed(dispatcher) == [bare, joined, first]


async def test_runs_are_found_by_what_the_gate_measured(dispatcher: Dispatcher) -> None:
    """All bounds must hold; a run without the metric, or that was never measured, is not found."""
    good = await judged(dispatcher, 1, r2=0.92, rmse=1.5)
    fair = await judged(dispatcher, 2, r2=0.9)
    poor = await judged(dispatcher, 3, r2=-1e300, rmse=12.0)
    queued = await dispatcher.request()

    assert run_view(await dispatcher.run(good)).metrics == {"r2": 0.92, "rmse": 1.5}
    assert run_view(await dispatcher.run(queued)).metrics == {}
    assert await listed(dispatcher, metric="r2>=0.9") == [fair, good]
    assert await listed(dispatcher, metric="r2>=0.9,rmse<=2") == [good]
    assert await listed(dispatcher, metric="r2<=0.9") == [poor, fair]
    assert await listed(dispatcher, metric="r2>=0.5,r2<=0.91") == [fair]
    assert await listed(dispatcher, metric="mae>=0") == []


async def test_runs_are_sorted_by_a_metric(dispatcher: Dispatcher) -> None:
    """What was never measured comes last in either direction, the newest of it first; equal ones by the newest, too."""
    good = await judged(dispatcher, 1, rmse=1.5)
    poor = await judged(dispatcher, 2, rmse=12.0)
    equal = await judged(dispatcher, 3, rmse=12.0)
    other = await judged(dispatcher, 4, r2=0.5)

    async def sorted_by(text: str, limit: int = 10) -> list[UUID]:
        wanted = lists.RunFilter(model=dispatcher.model)
        async with dispatcher.database.sessions() as session:
            return [row.run_id for row in await lists.runs(session, wanted, limit=limit, order=metric_order(text))]

    assert await sorted_by("rmse") == [good, equal, poor, other]
    assert await sorted_by("-rmse") == [equal, poor, good, other]
    assert await sorted_by("-rmse", limit=1) == [equal]


async def test_a_verdict_that_comes_after_the_promotion_is_kept(dispatcher: Dispatcher) -> None:
    """They come through two queues; the run has ended by then, and stays as it is."""
    run = await dispatcher.request()
    await dispatcher.steps()
    dispatcher.finish(run)
    await dispatcher.steps()
    about: Any = {"model": dispatcher.model, "version": 1, "run_id": run}
    promoted = ModelPromoted(**about, artifact=REF, manifest=REF, promotion_seq=1, cause="gate")
    async with dispatcher.bus.transaction() as session:
        await handlers.end_promoted_run(promoted, session)
    async with dispatcher.bus.transaction() as session:
        passed = EvaluationPassed(**about, report=REF, reasons=[], metrics={"r2": 0.9})
        await handlers.end_run_awaiting_approval(passed, session)

    view = run_view(await dispatcher.run(run))
    assert (view.state, view.reason, view.metrics) == ("succeeded", None, {"r2": 0.9})


async def test_runs_are_found_by_indexes_among_many(dispatcher: Dispatcher) -> None:
    """The planner reads no table from end to end, as long as tags are few or no run was measured so."""
    async with dispatcher.bus.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO run (run_id, model, state, cause, pipeline_digest, created_at, tags, metrics) "
                "SELECT gen_random_uuid(), 'm' || n % 50, 'failed', 'c', '', now() - n * interval '1 minute', "
                "jsonb_build_object('n', n::text), CASE WHEN n % 20 = 0 THEN '{\"r2\": 0.5}'::jsonb END "
                "FROM generate_series(1, 20000) AS n"
            )
        )
    async with dispatcher.database.engine.begin() as connection:
        await connection.execute(text("ANALYZE run"))
    plans = [await plan(dispatcher, tag="n:77"), await plan(dispatcher, metric="r2>=0.9")]

    assert ["run_tags" in plans[0], "run_measured" in plans[1]] == [True, True], "\n".join(plans)
    assert not any("Seq Scan" in each for each in plans)


async def plan(dispatcher: Dispatcher, *, tag: str | None = None, metric: str | None = None) -> str:
    """Return how the database would look for these runs."""
    wanted = lists.RunFilter(tags=tag_filter(tag), metrics=metric_bounds(metric))
    query: Any = lists.selected(wanted, limit=50).compile(dialect=dispatcher.database.engine.dialect)
    values = [query.params[name] for name in query.positiontup]
    async with dispatcher.database.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        told = await driver.fetch(
            f"EXPLAIN {query}", *(json.dumps(each) if isinstance(each, dict) else each for each in values)
        )
    return "\n".join(row[0] for row in told)
