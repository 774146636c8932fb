"""Filters of lists of models and versions as conditions, and the queries that take them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from interlock_contracts.gate import MetricName
from interlock_contracts.http import NewestVersion
from interlock_runtime.conditions import tagged
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry.store import ModelRow, PipelineRow, SpecRow, VersionRow


@dataclass(frozen=True, kw_only=True)
class VersionFilter:
    """Which versions of a model are listed; without values all are.

    A version without a metric is neither at least nor at most anything in it.
    """

    stages: Sequence[str] = ()
    since: datetime | None = None
    at_least: Mapping[MetricName, float] = field(default_factory=dict)
    at_most: Mapping[MetricName, float] = field(default_factory=dict)
    tags: Mapping[str, str | None] = field(default_factory=dict)
    dataset: str | None = None
    before: int | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on :class:`VersionRow`, all of which must hold; none that was deleted is listed."""
        yield VersionRow.deleted_at.is_(None)
        if self.stages:
            yield VersionRow.stage.in_(self.stages)
        if self.since is not None:
            yield VersionRow.registered_at >= self.since
        for name, bound in self.at_least.items():
            yield VersionRow.metrics[name].as_float() >= bound
        for name, bound in self.at_most.items():
            yield VersionRow.metrics[name].as_float() <= bound
        yield from tagged(VersionRow.tags, self.tags)
        if self.dataset is not None:
            of_file = {"digest": self.dataset}
            yield or_(VersionRow.datasets.contains([of_file]), VersionRow.evaluation.contains(of_file))
        if self.before is not None:
            yield VersionRow.version < self.before


async def versions(
    session: AsyncSession, model: str, wanted: VersionFilter, *, limit: int | None = None
) -> Sequence[VersionRow]:
    """Return a model's versions that are wanted, the newest first."""
    query = select(VersionRow).where(VersionRow.model == model, *wanted.conditions())
    return (await session.scalars(query.order_by(VersionRow.version.desc()).limit(limit))).all()


async def newest_versions(session: AsyncSession) -> dict[str, NewestVersion]:
    """Return the newest version of each model that has one which was not deleted."""
    query = select(VersionRow.model, VersionRow.version, VersionRow.stage).where(VersionRow.deleted_at.is_(None))
    query = query.ext(distinct_on(VersionRow.model)).order_by(VersionRow.model, VersionRow.version.desc())
    return {row.model: NewestVersion(version=row.version, stage=row.stage) for row in await session.execute(query)}


@dataclass(frozen=True, kw_only=True)
class ModelFilter:
    """Which models are listed: by a part of the name in any case, by whether a version serves, by owner and tags.

    Either those that are archived, or those that are not; none that was deleted.
    """

    text: str | None = None
    serving: bool | None = None
    owner: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    archived: bool = False
    after: str | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on :class:`PipelineRow` and :class:`ModelRow`, all of which must hold."""
        yield ModelRow.archived_at.isnot(None) if self.archived else ModelRow.archived_at.is_(None)
        yield ModelRow.deleted_at.is_(None)
        if self.text:
            yield PipelineRow.name.icontains(self.text, autoescape=True)
        if self.serving is not None:
            yield ModelRow.champion.isnot(None) if self.serving else ModelRow.champion.is_(None)
        if self.owner is not None:
            yield ModelRow.owner == self.owner
        yield from tagged(ModelRow.tags, self.tags)
        if self.after is not None:
            yield PipelineRow.name > self.after


async def models(
    session: AsyncSession, wanted: ModelFilter, *, limit: int | None = None
) -> Sequence[tuple[str, ModelRow | None]]:
    """Return the names of all applied pipelines that are wanted, in order; with what is known of each as a model."""
    query = select(PipelineRow.name, ModelRow).outerjoin(ModelRow, ModelRow.name == PipelineRow.name)
    query = query.where(*wanted.conditions()).order_by(PipelineRow.name).limit(limit)
    return [(row[0], row[1]) for row in await session.execute(query)]


async def stages(session: AsyncSession) -> dict[str, list[str]]:
    """Return the stages of each pipeline that declares any, in order."""
    newest = (SpecRow.pipeline == PipelineRow.name) & (SpecRow.digest == PipelineRow.digest)
    declared = SpecRow.spec["stages"]
    query = select(PipelineRow.name, declared).join(SpecRow, newest).where(declared.as_string().isnot(None))
    return {row[0]: row[1] for row in await session.execute(query)}
