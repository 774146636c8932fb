"""Checks that are cut off, that go on, and that fail for no fault of the file."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from interlock_contracts.refs import ArtifactRef
from interlock_ingest import store, workers
from interlock_ingest.store import DatasetRow
from interlock_ingest.validation import check
from interlock_messaging import work_queue

from tests.integration.ingest.test_datasets import BAD, GOOD
from tests.support.ingest_service import Ingest

pytestmark = pytest.mark.integration


async def test_a_check_that_was_cut_off_is_done_again(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever checks dies before its verdict is kept: the row's lock dies with it, and the next one finds the file."""
    digest = (await ingest.upload(GOOD))["digest"]
    checked = asyncio.Event()

    async def endless(*about: Any, **more: Any) -> None:
        await check(*about, **more)
        checked.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(workers, "check", endless)
        cut_off = asyncio.create_task(ingest.worker.validate_files())
        async with asyncio.timeout(60):
            await checked.wait()
        cut_off.cancel()
        await asyncio.gather(cut_off, return_exceptions=True)
    assert (await ingest.result(digest))["state"] == "checking"

    await ingest.worker.validate_files()

    assert (await ingest.result(digest))["state"] == "accepted"
    assert len(await ingest.published()) == 1


async def test_nobody_waits_for_a_check_that_is_going_on(ingest: Ingest) -> None:
    """Neither who uploads the same file again, nor who asks for its result, nor the check of the next file."""
    digest = (await ingest.upload(GOOD))["digest"]
    async with ingest.database.sessions() as session, session.begin():
        assert await work_queue.claim(session, DatasetRow, store.UNVALIDATED)
        async with asyncio.timeout(60):  # on a lock it would wait for ever
            assert (await ingest.upload(GOOD))["state"] == "checking"
            assert (await ingest.result(digest))["state"] == "checking"
            other = (await ingest.upload(BAD))["digest"]
            await ingest.worker.validate_files()
            assert (await ingest.result(other))["state"] == "rejected"


async def test_a_check_that_fails_for_our_own_fault_is_tried_again_then_refused(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stored file that is gone holds nobody up for ever, and uploading it again starts anew."""
    monkeypatch.setattr(work_queue, "BACKOFF", timedelta(0))
    view = await ingest.upload(GOOD)
    del ingest.artifacts.objects[ArtifactRef(sha256=view["digest"], bytes=len(GOOD), holdout=True).key]
    await ingest.worker.validate_files()
    refused = await ingest.result(view["digest"])
    assert (refused["state"], refused["reasons"][0]["rule"]) == ("rejected", "check_failed")

    woken = ingest.bus.delivery.wakeups.of(DatasetRow)
    woken.clear()
    await ingest.upload(GOOD)
    assert woken.is_set(), "its check need not wait for the next poll"
    await ingest.worker.validate_files()

    assert (await ingest.result(view["digest"]))["state"] == "accepted"
