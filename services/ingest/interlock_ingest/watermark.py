"""The watermark of a pipeline that is split by time: one moment, from which on rows are held out in every file."""

from datetime import datetime

from interlock_contracts.pipeline import Pipeline
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from interlock_ingest.store import Table


class WatermarkRow(Table):
    """The moment that a pipeline's first accepted file has set, for good; ``digest`` is that file's.

    It depends on neither columns nor fraction of later specs. A spec that declares a moment of its own does not ask.
    """

    __tablename__ = "watermark"

    pipeline: Mapped[str] = mapped_column(primary_key=True)
    moment: Mapped[datetime]
    digest: Mapped[str]
    set_at: Mapped[datetime] = mapped_column(server_default=func.now())


async def with_watermark(session: AsyncSession, pipeline: Pipeline) -> Pipeline:
    """Return the spec with the moment in place of ``first_file``, as soon as a file has set it."""
    holdout = pipeline.data.holdout
    row = await session.get(WatermarkRow, pipeline.name) if holdout.watermark == "first_file" else None
    if row is None:
        return pipeline
    known = holdout.model_copy(update={"watermark": row.moment})
    return pipeline.model_copy(update={"data": pipeline.data.model_copy(update={"holdout": known})})


async def keep_watermark(session: AsyncSession, pipeline: Pipeline, digest: str, cut: datetime | None) -> bool:
    """Set the watermark where an accepted file was cut, if that is still to be done; return whether the cut holds.

    It does not where another file came first. Whoever sets it is waited for: until then nobody knows whether it stays.
    """
    if cut is None or pipeline.data.holdout.watermark != "first_file":
        return True
    new = insert(WatermarkRow).values(pipeline=pipeline.name, moment=cut, digest=digest)
    await session.execute(new.on_conflict_do_nothing())
    return (await session.get_one(WatermarkRow, pipeline.name, populate_existing=True)).moment == cut
