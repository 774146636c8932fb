"""Deletes, as the pipeline file declares it, the files that are past their retention."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from interlock_contracts.deletion import DueDataset
from interlock_contracts.filters import parsed_window
from interlock_contracts.names import no_pipeline
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.retention import BY_RETENTION, Keep
from interlock_messaging import Bus
from interlock_runtime.clients import RegistryClient, TrainDispatchClient
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from interlock_runtime.query_parameters import KeepDays, KeepLast, parsed_query
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from interlock_ingest import store, tombstones
from interlock_ingest.deletion import delete_file
from interlock_ingest.store import NOT_DELETED, DatasetRow, SpecRow

logger = logging.getLogger(__name__)

CHUNK = 100
"""Files that are deleted in one transaction, which holds up uploads to the pipeline."""

SETTLED = timedelta(days=1)
"""A file that was received within this time is not deleted: others may not have consumed yet that it came again."""


@dataclass(frozen=True)
class StoredFile:
    """A file with its rows, one for each spec that it was checked by."""

    rows: Sequence[DatasetRow]

    @property
    def newest(self) -> DatasetRow:
        return max(self.rows, key=lambda row: row.received_at)

    @property
    def state(self) -> str:
        """Return checking or accepted if it is that under any spec, else rejected."""
        states = {row.state for row in self.rows}
        return next((each for each in ("checking", "accepted") if each in states), "rejected")

    @property
    def received_at(self) -> datetime:
        """Return when it came last; that it was read again does not make it younger."""
        return max((row.received_at for row in self.rows if not row.read_again), default=self.newest.received_at)

    @property
    def order(self) -> tuple[int, datetime]:
        """Return what orders files: their number, and when they were received for those that have none."""
        return max((row.number or row.received_number or 0 for row in self.rows), default=0), self.received_at


def past_retention(
    files: Sequence[StoredFile],
    keep: Keep,
    *,
    unused: AbstractSet[str],
    versions: Mapping[str, Sequence[int]],
    now: datetime,
) -> Iterator[tuple[StoredFile, str | None]]:
    """Yield the files that are past their retention, oldest first; with why each is kept, None where it is not.

    Training files, evaluation files and rejected ones are counted apart. ``unused`` are the digests of those accepted
    that no training reads any more, ``versions`` those that were trained or judged on a file.
    """
    groups: defaultdict[tuple[str, str], list[StoredFile]] = defaultdict(list)
    for file in files:
        groups[file.newest.role, file.state].append(file)
    for (_, state), group in groups.items():
        group.sort(key=lambda file: file.order)
        for place, file in enumerate(group, start=1):
            if state != "checking" and keep.is_past(newer=len(group) - place, age=now - file.received_at):
                yield file, _kept_because(file, unused, versions.get(file.newest.digest, ()), now)


def _kept_because(file: StoredFile, unused: AbstractSet[str], versions: Sequence[int], now: datetime) -> str | None:
    if now - file.newest.received_at < SETTLED:
        return "was received within the last day"
    if file.state == "accepted" and file.newest.digest not in unused:
        return "is read by a training, now or by the next one's window, or its model is archived"
    if versions:
        one, shown = len(versions) == 1, ", ".join(map(str, sorted(versions)[-5:]))
        return f"was used for version {shown}" if one else f"was used for versions {shown}"
    return None


class DatasetRetention:
    """Deletes what is past its retention; any replica may do so at any time, for the pipeline is locked meanwhile.

    ``train_dispatch`` is asked before the registry: what a run reads is known to one until it is known to the other.
    """

    def __init__(
        self, bus: Bus, registry: RegistryClient, dispatcher: TrainDispatchClient | None, woken: asyncio.Event
    ) -> None:
        self._bus = bus
        self._registry = registry
        self._dispatcher = dispatcher
        self._woken = woken

    async def run_once(self) -> None:
        """Delete, of every pipeline that declares it, the files that may go.

        Where registry or dispatcher does not answer, what they might want kept stays meanwhile.
        """
        async with self._bus.transaction() as session:
            names = [name for name in await SpecRow.names(session) if await self.declared(session, name)]
        for name in names:
            try:
                while await self._delete(name):
                    self._woken.set()
            except ConnectionError as error:
                logger.warning("files of %s that are past their retention wait: %s", name, error)

    async def _delete(self, name: str) -> int:
        """Delete the next files of one pipeline; return how many that were."""
        async with self._bus.transaction() as session:
            if not _going(await self.due(session, name)):
                return 0
        async with self._bus.transaction() as session:
            # As a person's deletion locks it; all is asked again under the lock.
            await store.lock_order(session, name)
            going = _going(await self.due(session, name))[:CHUNK]
            for file in going:
                await delete_file(session, file.rows, by=BY_RETENTION)
        if going:
            logger.info("%d files of %s were past their retention", len(going), name)
        return len(going)

    async def declared(self, session: AsyncSession, name: str) -> Keep | None:
        """Return what a pipeline's newest spec declares of files; of one that was deleted with its model, none."""
        spec = await SpecRow.find(session, name)
        if spec is None or await tombstones.deletion_of_pipeline(session, name) is not None:
            return None
        return Pipeline.model_validate(spec.spec).retention.datasets

    async def due(
        self, session: AsyncSession, name: str, keep: Keep | None = None, *, window: str | None = None
    ) -> list[tuple[StoredFile, str | None]]:
        """Return the files past what is to be kept, with why each is not deleted; by the newest spec, unless given.

        Raises:
            ConnectionError: registry or dispatcher does not answer, or the address of ``train_dispatch`` is not set.
        """
        keep, spec = keep or await self.declared(session, name), await SpecRow.find(session, name)
        if keep is None or spec is None:
            return []
        if self._dispatcher is None:
            raise ConnectionError("INTERLOCK_TRAIN_DISPATCH_URL is not set, so nobody knows which files are in use")
        unused = await self._dispatcher.unused_datasets(name, spec.digest, window=window)
        versions = await self._registry.versions_by_dataset(name)
        found = past_retention(
            await _files(session, name), keep, unused=unused, versions=versions, now=datetime.now(UTC)
        )
        return sorted(found, key=lambda each: each[0].order)


def _going(found: Sequence[tuple[StoredFile, str | None]]) -> list[StoredFile]:
    return [file for file, kept_because in found if kept_because is None]


async def _files(session: AsyncSession, name: str) -> list[StoredFile]:
    """Return a pipeline's files that are not deleted, without their findings, which may be many."""
    query = select(DatasetRow).where(DatasetRow.pipeline == name, NOT_DELETED)
    rows: defaultdict[str, list[DatasetRow]] = defaultdict(list)
    for row in await session.scalars(query.options(defer(DatasetRow.reasons), defer(DatasetRow.warnings))):
        rows[row.digest].append(row)
    return [StoredFile(each) for each in rows.values()]


@get("/datasets/{name:str}/retention", opt={SCOPE: "read"})
async def read_dataset_retention(
    name: FromPath[str],
    database: NamedDependency[Database],
    retention: NamedDependency[DatasetRetention],
    *,
    keep_last: KeepLast = None,
    keep_days: KeepDays = None,
    window: Annotated[
        str | None, QueryParameter(max_length=20, description="What if this was `training.window`?")
    ] = None,
) -> list[DueDataset]:
    """Return the files that are past their retention, oldest first, and why some are kept all the same.

    By the applied pipeline file; with ``keep_last`` or ``keep_days`` by these instead, and nothing is changed.
    """
    parsed_query("window", window, parsed_window)
    asked = keep_last is not None or keep_days is not None
    keep = Keep(keep_last=keep_last, keep_days=keep_days) if asked else None
    async with database.sessions() as session:
        if (deleted := await tombstones.deletion_of_pipeline(session, name)) is not None:
            raise problem(410, "Deleted model", deleted)
        if await SpecRow.find(session, name) is None:
            raise problem(404, "Unknown pipeline", no_pipeline(name, await SpecRow.names(session)))
        found = await retention.due(session, name, keep, window=window)
        return [_view(file, kept_because) for file, kept_because in found]


def _view(file: StoredFile, kept_because: str | None) -> DueDataset:
    row = file.newest
    return DueDataset(
        digest=row.digest,
        batch=row.number,
        state=file.state,
        role=row.role,
        file_name=row.file_name,
        received_at=file.received_at,
        kept_because=kept_because,
    )


ROUTES = [read_dataset_retention]
