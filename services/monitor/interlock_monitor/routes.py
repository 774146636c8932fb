"""Route of live quality."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from interlock_contracts.quality import QualityView
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from interlock_monitor import store
from interlock_monitor.domain import parse_window
from interlock_monitor.quality import MAX_PAIRS, by_version

_LENGTH = "a number of minutes, hours or days, such as `30m`, `12h` or `7d`"


@get("/models/{name:str}/quality", opt={SCOPE: "read"})
async def read_quality(
    name: FromPath[str],
    database: NamedDependency[Database],
    window: Annotated[str, QueryParameter(description=f"How far back: {_LENGTH}.")] = "24h",
    bucket: Annotated[
        str | None, QueryParameter(description=f"Length of one bucket: {_LENGTH}; a round one if left out.")
    ] = None,
) -> QualityView:
    """Return live quality over the last ``window``, by version and time bucket."""
    try:
        since, until, step = parse_window(window, bucket, now=datetime.now(UTC))
    except ValueError as error:
        raise problem(400, "Invalid window", str(error)) from error
    async with database.sessions() as session:
        if (deleted := await store.deletion_of(session, name)) is not None:
            raise problem(410, "Deleted model", deleted)
        labels = await store.versions(session, name)
        counts = await store.counts(session, name, since, step)
        joined = await store.count_joined(session, name, since, step)
        pairs = await store.joined_rows(session, name, since, limit=MAX_PAIRS)
        unmatched = await store.unmatched(session, name, since)
    measured = await asyncio.to_thread(by_version, labels, counts, joined, pairs, since=since, bucket=step)
    return QualityView(
        model=name,
        since=since,
        until=until,
        bucket_seconds=int(step.total_seconds()),
        unmatched=unmatched,
        versions=measured,
    )


ROUTES = [read_quality]
