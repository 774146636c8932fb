"""Tables and queries: pipelines and their specs, models, versions, promotions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from interlock_contracts.refs import DatasetRef
from interlock_contracts.stages import PRODUCTION
from interlock_messaging.tables import Base
from sqlalchemy import JSON, BigInteger, ForeignKey, Identity, MetaData, exists, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column


class Table(Base):
    """Abstract base of this service's tables."""

    __abstract__ = True
    metadata = MetaData()


class PipelineRow(Table):
    """A pipeline's newest spec, by digest; ``revision`` counts how often it changed."""

    __tablename__ = "pipeline"

    name: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    revision: Mapped[int]
    applied_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SpecRow(Table):
    """Every spec that was ever applied, by content."""

    __tablename__ = "spec"

    pipeline: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)  # JSONB would lose the order of the columns
    ref: Mapped[dict[str, Any]] = mapped_column(JSONB)


class ModelRow(Table):
    """A model, with its champion in production; ``promotion_seq`` counts its promotions to all stages.

    A deleted one keeps its row, archived for good, with who deleted it and why: its name is not given again.
    """

    __tablename__ = "model"

    name: Mapped[str] = mapped_column(primary_key=True)
    versions: Mapped[int] = mapped_column(server_default=text("0"))
    champion: Mapped[int | None]
    promotion_seq: Mapped[int] = mapped_column(server_default=text("0"))
    description: Mapped[str | None]
    owner: Mapped[str | None]
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    archived_at: Mapped[datetime | None]
    archive_seq: Mapped[int] = mapped_column(server_default=text("0"))
    deleted_at: Mapped[datetime | None]
    deleted_by: Mapped[str | None]
    deletion_reason: Mapped[str | None]


class VersionRow(Table):
    """One version; ``evaluation_requests`` counts how often the gate was asked about it.

    A deleted one keeps its row, for promotions name it. ``engine`` is the reference that its description holds,
    ``{}`` where it holds none; it is None until a deletion asks who shares what. ``earlier_reports`` are those that a
    later evaluation has replaced. ``evaluation`` refers to the evaluation file, where there was one. ``bound_for`` is
    the deployment stage for which it is measured or waits, None once that is settled; ``passed_for`` the one for which
    its newest verdict let it through; older registries write neither. ``stage`` is its state.
    """

    __tablename__ = "version"

    model: Mapped[str] = mapped_column(ForeignKey("model.name"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    stage: Mapped[str]
    run_id: Mapped[UUID] = mapped_column(unique=True)
    pipeline_digest: Mapped[str]
    artifact: Mapped[dict[str, Any]] = mapped_column(JSONB)
    manifest: Mapped[dict[str, Any]] = mapped_column(JSONB)
    datasets: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    evaluation: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    evaluation_requests: Mapped[int] = mapped_column("questions", server_default=text("1"))
    against: Mapped[int | None]
    bound_for: Mapped[str | None]
    passed_for: Mapped[str | None]
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    earlier_reports: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    engine: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    reasons: Mapped[list[str]] = mapped_column(JSONB, server_default=text("'[]'"))
    metrics: Mapped[dict[str, float]] = mapped_column(JSONB, server_default=text("'{}'"))
    champion_metrics: Mapped[dict[str, float]] = mapped_column(JSONB, server_default=text("'{}'"))
    description: Mapped[str | None]
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    registered_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]
    deleted_by: Mapped[str | None]
    objects_deleted_at: Mapped[datetime | None]

    @property
    def judged_on(self) -> list[DatasetRef]:
        """Return the files whose held-out rows the gate measures it on: the evaluation file, else those of training."""
        return [DatasetRef.model_validate(each) for each in ([self.evaluation] if self.evaluation else self.datasets)]


class PromotionRow(Table):
    """Every promotion there was, by its sequence number; ``signed`` is its signature.

    The database makes each the champion of its stage, as it is written: see :class:`ChampionRow`.
    """

    __tablename__ = "promotion"

    model: Mapped[str] = mapped_column(ForeignKey("model.name"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]
    cause: Mapped[str]
    by: Mapped[str | None]
    traceparent: Mapped[str | None]
    signed: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    promoted_at: Mapped[datetime] = mapped_column(server_default=func.now())
    stage: Mapped[str] = mapped_column(server_default=PRODUCTION)


class ChampionRow(Table):
    """Who serves in a stage of a model: one row each, so that two cannot; written by the database alone.

    ``dropped`` once the pipeline has the stage no longer.
    """

    __tablename__ = "champion"

    model: Mapped[str] = mapped_column(ForeignKey("model.name"), primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    version: Mapped[int]
    dropped: Mapped[bool] = mapped_column(server_default=text("false"))


_NOT_DELETED = ~exists().where(ModelRow.name == PipelineRow.name, ModelRow.deleted_at.is_not(None))


class KeyRow(Table):
    """A key that was made, by its hash; of each name one is in use at most."""

    __tablename__ = "api_key"

    hash: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditRow(Table):
    """One thing that somebody did; rows are only ever added."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    by: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    trace_id: Mapped[str | None]


async def lock_model(session: AsyncSession, name: str) -> ModelRow:
    """Return the model's row, made if need be, locked until the transaction ends."""
    await session.execute(insert(ModelRow).values(name=name).on_conflict_do_nothing())
    return await session.get_one(ModelRow, name, with_for_update=True, populate_existing=True)


async def lock_pipeline(session: AsyncSession, name: str) -> PipelineRow | None:
    """Return a pipeline, locked until the transaction ends, so that no other spec is applied; None for an unknown."""
    return await session.get(PipelineRow, name, with_for_update=True)


async def spec_of(session: AsyncSession, pipeline: str, digest: str) -> SpecRow | None:
    return await session.get(SpecRow, (pipeline, digest))


async def keep_spec(session: AsyncSession, row: SpecRow) -> PipelineRow | None:
    """Make ``row`` the pipeline's newest spec; return its new state, None when it is the newest already."""
    values = {"pipeline": row.pipeline, "digest": row.digest, "spec": row.spec, "ref": row.ref}
    await session.execute(insert(SpecRow).values(values).on_conflict_do_nothing())
    changed = (
        insert(PipelineRow)
        .values(name=row.pipeline, digest=row.digest, revision=1)
        .on_conflict_do_update(
            index_elements=[PipelineRow.name],
            set_={"digest": row.digest, "revision": PipelineRow.revision + 1, "applied_at": func.now()},
            where=PipelineRow.digest != row.digest,
        )
        .returning(PipelineRow)
    )
    return (await session.scalars(changed, execution_options={"populate_existing": True})).one_or_none()


async def pipelines(session: AsyncSession, name: str | None = None) -> Sequence[tuple[PipelineRow, SpecRow]]:
    """Return all pipelines, or the one of that name, with their newest specs; without those of deleted models."""
    query = select(PipelineRow, SpecRow).join(
        SpecRow, (SpecRow.pipeline == PipelineRow.name) & (SpecRow.digest == PipelineRow.digest)
    )
    query = query.where(_NOT_DELETED)
    if name is not None:
        query = query.where(PipelineRow.name == name)
    return [(row[0], row[1]) for row in await session.execute(query.order_by(PipelineRow.name))]


async def pipeline_names(session: AsyncSession) -> Sequence[str]:
    return (await session.scalars(select(PipelineRow.name).where(_NOT_DELETED).order_by(PipelineRow.name))).all()


async def version_of_run(session: AsyncSession, run_id: UUID) -> VersionRow | None:
    return (await session.scalars(select(VersionRow).where(VersionRow.run_id == run_id))).one_or_none()


def deletion_of(row: VersionRow | ModelRow) -> str | None:
    """Return by whom a version or a model was deleted, and when, in words; None where it was not."""
    if row.deleted_at is None:
        return None
    what = f"version {row.version} of {row.model!r}" if isinstance(row, VersionRow) else f"model {row.name!r}"
    moment = row.deleted_at.astimezone(UTC).isoformat(timespec="seconds")
    return f"{what} was deleted by {row.deleted_by} at {moment}"


async def previous_champion(session: AsyncSession, model: str, stage: str, champion: int | None) -> int | None:
    """Return the version that served last in a stage before its ``champion``, of those that are still there."""
    query = (
        select(PromotionRow.version)
        .join(VersionRow, (VersionRow.model == PromotionRow.model) & (VersionRow.version == PromotionRow.version))
        .where(PromotionRow.model == model, PromotionRow.stage == stage, PromotionRow.version != champion)
        .where(VersionRow.deleted_at.is_(None))
        .order_by(PromotionRow.seq.desc())
        .limit(1)
    )
    return (await session.scalars(query)).one_or_none()


async def has_served(session: AsyncSession, model: str, version: int, stage: str | None = None) -> bool:
    """Return whether a version has ever been promoted, to one stage or to any."""
    return await last_promotion_of(session, model, version, stage) is not None


async def last_promotion_of(
    session: AsyncSession, model: str, version: int, stage: str | None = None
) -> PromotionRow | None:
    query = select(PromotionRow).where(PromotionRow.model == model, PromotionRow.version == version)
    if stage is not None:
        query = query.where(PromotionRow.stage == stage)
    return (await session.scalars(query.order_by(PromotionRow.seq.desc()).limit(1))).one_or_none()


async def any_is_signed(session: AsyncSession) -> bool:
    """Return whether there is a promotion with a signature."""
    query = select(PromotionRow.seq).where(PromotionRow.signed.isnot(None)).limit(1)
    return (await session.scalars(query)).one_or_none() is not None


async def archived(session: AsyncSession) -> set[str]:
    """Return the names of the archived models."""
    return set(await session.scalars(select(ModelRow.name).where(ModelRow.archived_at.isnot(None))))


async def serving(
    session: AsyncSession, model: str | None = None, *, stage: str | None = PRODUCTION, dropped: bool = False
) -> Sequence[tuple[PromotionRow, VersionRow]]:
    """Return what should serve in a stage, or in all, or would if its model was not archived: promotion and version.

    With ``dropped``, what would if the pipeline still had the stage.
    """
    query = (
        select(PromotionRow, VersionRow)
        .join(ChampionRow, (ChampionRow.model == PromotionRow.model) & (ChampionRow.seq == PromotionRow.seq))
        .join(VersionRow, (VersionRow.model == PromotionRow.model) & (VersionRow.version == PromotionRow.version))
        .where(ChampionRow.dropped.is_(dropped))
    )
    if model is not None:
        query = query.where(ChampionRow.model == model)
    if stage is not None:
        query = query.where(ChampionRow.stage == stage)
    found = await session.execute(query.order_by(ChampionRow.model, ChampionRow.stage))
    return [(row[0], row[1]) for row in found]


async def champions(session: AsyncSession, model: str) -> dict[str, int]:
    """Return the version that serves in each stage of a model where one does."""
    query = select(ChampionRow.stage, ChampionRow.version).where(ChampionRow.model == model, ~ChampionRow.dropped)
    return {row.stage: row.version for row in await session.execute(query.order_by(ChampionRow.stage))}
