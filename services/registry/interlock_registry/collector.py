"""Garbage collection: deletes objects of deleted versions from the store, as far as no other version has them.

Objects are named by content, so versions share them: trained again on the same data, a model is often the same bytes.
Two things keep an object for a version that is about to refer to it. Whoever registers one holds
:func:`lock_references` shared, and the collector holds it alone from its look at who refers to what until the objects
are gone. And a job stores an object some time before its version is registered, where storing one that is there makes
it young again: what was stored within the time of grace is left for the next look.
"""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from interlock_artifacts import ArtifactStore, CorruptArtifactError, MissingArtifactError, delete_unless_young
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.refs import ArtifactRef
from interlock_messaging import Bus
from interlock_messaging.crash_points import crash_point
from pydantic import ValidationError
from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_registry.store import VersionRow

logger = logging.getLogger(__name__)

CHUNK = 100
"""Versions whose engines are looked up between two transactions."""


async def lock_references(session: AsyncSession, *, alone: bool = False) -> None:
    """Wait until nobody deletes objects, and keep it so until the transaction ends; ``alone`` also nobody registers."""
    lock = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
    await session.execute(select(lock(func.hashtext("references to objects"))))


class Collector:
    """Deletes what is due; idempotent, so that any replica may run it at any time, also after another crashed.

    ``grace`` is for whoever still reads a version that was just deleted (a file that it answers, a candidate that is
    compared with it), and for jobs whose model is stored, but not yet registered.
    """

    def __init__(self, bus: Bus, artifacts: ArtifactStore, *, grace: timedelta) -> None:
        self.grace = grace
        self.woken = asyncio.Event()
        self._bus = bus
        self._artifacts = artifacts

    async def run_once(self) -> None:
        """Delete the objects of every version that was deleted long enough ago."""
        async with self._bus.transaction() as session:
            query = select(VersionRow.model, VersionRow.version).where(*self._due()).order_by(VersionRow.deleted_at)
            due = [(row.model, row.version) for row in await session.execute(query)]
        for model, version in due:
            await self._learn_engines()
            await self._collect(model, version)

    def _due(self) -> Iterator[ColumnElement[bool]]:
        yield VersionRow.deleted_at <= func.now() - self.grace
        yield VersionRow.objects_deleted_at.is_(None)

    async def _learn_engines(self) -> None:
        """Keep, of every version that may have something in common with another, which engine it has."""
        while True:
            async with self._bus.transaction() as session:
                query = select(VersionRow.artifact).where(*_unknown_engine()).limit(CHUNK)
                refs = [ArtifactRef.model_validate(each) for each in await session.scalars(query)]
            if not refs:
                return
            # Between two transactions: who promotes a version must not wait for the store.
            engines = await asyncio.to_thread(self._engines_of, refs)
            async with self._bus.transaction() as session:
                for digest, engine in engines.items():
                    same = VersionRow.artifact["sha256"].astext == digest, VersionRow.engine.is_(None)
                    await session.execute(update(VersionRow).where(*same).values(engine=engine))

    def _engines_of(self, artifacts: list[ArtifactRef]) -> dict[str, dict[str, Any]]:
        return {each.sha256: self._engine_of(each) for each in artifacts}

    def _engine_of(self, artifact: ArtifactRef) -> dict[str, Any]:
        """Return the engine that a description names; ``{}`` where it names none, so that nobody can load the model."""
        try:
            engine = json.loads(self._artifacts.fetch(artifact))["engine"]["ref"]
            return ArtifactRef.model_validate(engine).model_dump(mode="json")
        except (MissingArtifactError, CorruptArtifactError, ValidationError, ValueError, TypeError, KeyError) as error:
            logger.warning("%s is no description of a model: %r", artifact.key, error)
            return {}

    async def _collect(self, model: str, version: int) -> None:
        """Delete one version's objects but those that others have, or may be about to have."""
        async with self._bus.transaction() as session:
            await lock_references(session, alone=True)
            if await session.scalar(select(exists().where(*_unknown_engine()))):
                return  # registered this very moment; the next run knows it
            row = await session.get_one(VersionRow, (model, version))
            if row.objects_deleted_at is not None:  # another replica was here
                return
            own = [ref for ref in _objects(row) if not await _is_shared(session, ref)]
            if (manifest := ArtifactRef.model_validate(row.manifest)) in own:
                # First, for it is found by the manifest, should this be interrupted.
                own = [*await asyncio.to_thread(self._trained_on, manifest), *own]
            young = await asyncio.to_thread(self._delete, own)
            crash_point("registry.collect.deleted")
            if young:
                logger.info("%d objects of version %d of %s were stored just now, and wait", young, version, model)
                return
            row.objects_deleted_at = datetime.now(UTC)
            logger.info("%d objects of version %d of %s are deleted", len(own), version, model)

    def _trained_on(self, manifest: ArtifactRef) -> list[ArtifactRef]:
        """Return the hashes of the rows that the version has trained on, which no other version refers to."""
        try:
            told = TrainingManifest.model_validate_json(self._artifacts.fetch(manifest)).trained_on
        except (MissingArtifactError, CorruptArtifactError, ValidationError) as error:
            logger.warning("%s is no manifest: %r", manifest.key, error)
            return []
        return [told.hashes] if told is not None else []

    def _delete(self, refs: list[ArtifactRef]) -> int:
        """Delete objects that were stored before the time of grace; return how many were not."""
        return sum(not delete_unless_young(self._artifacts, ref.key, self.grace) for ref in refs)


def _unknown_engine() -> Iterator[ColumnElement[bool]]:
    yield VersionRow.engine.is_(None)
    yield VersionRow.objects_deleted_at.is_(None)


def _objects(row: VersionRow) -> list[ArtifactRef]:
    """Return all that a version consists of."""
    found = [row.artifact, row.manifest, row.engine, row.report, *row.earlier_reports]
    return [ArtifactRef.model_validate(each) for each in found if each]


async def _is_shared(session: AsyncSession, ref: ArtifactRef) -> bool:
    """Return whether a version that is not deleted has the object, in whatever place."""
    columns = (VersionRow.artifact, VersionRow.manifest, VersionRow.engine, VersionRow.report)
    has = or_(
        *(column["sha256"].astext == ref.sha256 for column in columns),
        VersionRow.earlier_reports.contains([{"sha256": ref.sha256}]),
    )
    return bool(await session.scalar(select(exists().where(VersionRow.deleted_at.is_(None), has))))
