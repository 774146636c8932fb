"""Projection of ``pipeline.applied``: the pipeline specs that a service keeps, in a table of its own."""

from collections.abc import Sequence
from typing import Any, Self

from interlock_contracts.datasets import PipelineApplied
from interlock_contracts.pipeline import Pipeline
from sqlalchemy import JSON, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column


class PipelineSpec:
    """Columns of a spec; the newest of a pipeline is the one with the highest ``revision``.

    ``spec`` is JSON and not JSONB, which would lose the order in which columns are declared.
    """

    pipeline: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int]
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)

    @classmethod
    async def keep(cls, session: AsyncSession, event: PipelineApplied, spec: Pipeline, **columns: Any) -> None:
        """Keep the spec that ``event`` refers to, with the table's own ``columns``; applied again, it is raised.

        Events may come in any order and more than once, so a revision never goes down.
        """
        added = insert(cls).values(
            pipeline=event.pipeline,
            digest=event.pipeline_digest,
            revision=event.revision,
            spec=spec.model_dump(mode="json"),
            **columns,
        )
        raised = {"revision": func.greatest(cls.revision, added.excluded.revision)}
        await session.execute(added.on_conflict_do_update(index_elements=[cls.pipeline, cls.digest], set_=raised))

    @classmethod
    async def find(cls, session: AsyncSession, pipeline: str, digest: str | None = None) -> Self | None:
        """Return a pipeline's newest spec, or the one with ``digest``."""
        query = select(cls).where(cls.pipeline == pipeline)
        if digest is not None:
            query = query.where(cls.digest == digest)
        return (await session.scalars(query.order_by(cls.revision.desc()).limit(1))).one_or_none()

    @classmethod
    async def names(cls, session: AsyncSession) -> Sequence[str]:
        """Return the names of all pipelines."""
        return (await session.scalars(select(cls.pipeline).distinct().order_by(cls.pipeline))).all()
