"""Unused datasets, which no training reads any more: `ingest` asks before it deletes what is past its retention."""

from collections.abc import Iterator
from typing import Annotated, Any

from interlock_contracts.filters import parsed_window
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import Sha256
from interlock_contracts.training_section import Window
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE, SERVICES
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import parsed_query
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_train_dispatch import store
from interlock_train_dispatch.domain import in_window
from interlock_train_dispatch.store import DatasetRow, RunRow, SpecRow


@get("/models/{name:str}/unused-datasets", opt={SCOPE: "read", SERVICES: ("ingest",)})
async def unused_datasets(
    name: FromPath[str],
    database: NamedDependency[Database],
    *,
    pipeline: Annotated[str, QueryParameter(pattern="^[0-9a-f]{64}$", description="Digest of the newest spec.")],
    window: Annotated[
        str | None, QueryParameter(max_length=20, description="What if this was `training.window`?")
    ] = None,
) -> list[Sha256]:
    """Return the accepted files that no run under way reads, and the next one would not; by their digests.

    A file that is not heard of yet is not among them, nor is any of a model that is archived or deleted. 404 for a spec
    that is not heard of yet.
    """
    other = parsed_query("window", window, parsed_window)
    async with database.sessions() as session:
        spec = await SpecRow.find(session, name, pipeline)
        if spec is None:
            raise problem(404, "Unknown pipeline", f"pipeline {name!r} has no spec with digest {pipeline}")
        if await store.archive_of(session, name) is not None:
            return []
        known = select(DatasetRow.digest).where(DatasetRow.pipeline == name, ~store.is_deleted())
        return sorted(set(await session.scalars(known)) - await _read(session, name, spec, other))


async def _read(session: AsyncSession, name: str, spec: SpecRow, window: Window | None) -> set[str]:
    """Return the digests of what runs under way read, and what the next one would read, by the newest spec as well."""
    found = await _in_window(session, spec, window)
    newest = await SpecRow.find(session, name)
    if newest is not None and newest.digest != spec.digest:
        found |= await _in_window(session, newest)
    under_way = RunRow.model == name, RunRow.state.in_(("queued", "running"))  # imports are queued beside a training
    for run in (await session.scalars(select(RunRow).where(*under_way))).all():
        found |= set(_named(run))
        if run.state == "queued" and (its := await SpecRow.find(session, name, run.pipeline_digest)) is not None:
            found |= await _in_window(session, its)
    return found


async def _in_window(session: AsyncSession, spec: SpecRow, window: Window | None = None) -> set[str]:
    window = window or Pipeline.model_validate(spec.spec).training.window
    files = await store.datasets(session, spec)
    judged_on = await store.evaluation_file(session, spec)
    return {file.digest for file in (*in_window(files, window), *([judged_on] if judged_on else []))}


def _named(run: RunRow) -> Iterator[str]:
    refs: list[dict[str, Any]] = [*run.datasets, *([run.evaluation] if run.evaluation else [])]
    yield from (ref["digest"] for ref in refs)
    if run.dataset is not None:
        yield run.dataset


ROUTES = [unused_datasets]
