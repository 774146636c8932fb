"""Where a file came from: what it is called, who uploaded it, and what is to be known of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from interlock_ingest.store import DatasetRow

from tests.support.ingest_service import Ingest

pytestmark = pytest.mark.integration

GOOD = b"x,y\n" + b"".join(f"{n},{2 * n}\n".encode() for n in range(50))


async def test_a_file_keeps_its_name_its_note_and_who_uploaded_it(ingest: Ingest) -> None:
    """Of its first upload; a submitted object is called as its key ends."""
    first = await ingest.upload(GOOD, params={"file_name": "january.csv", "note": "from the warehouse\nby hand"})
    await ingest.upload(GOOD, params={"file_name": "copy of january.csv"})
    plain = await ingest.upload(GOOD + b"1,1\n")
    key = f"incoming/{ingest.pipeline}/2026/february.csv"
    ingest.artifacts.put_latest(key, GOOD + b"2,2\n")
    await ingest.submit(key)
    await ingest.worker.validate_files()

    listed = (await ingest.http.get(f"/datasets/{ingest.pipeline}")).json()
    told = {view["digest"]: (view["file_name"], view["note"], view["uploaded_by"]) for view in listed}
    assert told[first["digest"]] == ("january.csv", "from the warehouse\nby hand", "admin")
    assert told[plain["digest"]] == (None, None, "admin")
    assert ("february.csv", None, None) in told.values()
    assert [published.get("uploaded_by") for _, published in await ingest.published()] == ["admin", "admin", None]


@pytest.mark.parametrize("name", ["file_name", "note"])
async def test_a_name_that_is_too_long_is_refused(ingest: Ingest, name: str) -> None:
    """Before the file is read; a NUL is no part of any query."""
    too_long = await ingest.http.post(f"/datasets/{ingest.pipeline}", params={name: "x" * 2000}, content=GOOD)
    with_nul = await ingest.http.post(f"/datasets/{ingest.pipeline}", params={name: "a\0b"}, content=GOOD)

    assert (too_long.status_code, with_nul.status_code) == (400, 400)
    assert name in too_long.text


async def test_every_file_is_on_one_page_whatever_the_filter(ingest: Ingest) -> None:
    """Also of those that were received in the same moment, which no page parts."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    digest = ingest.spec().digest
    await ingest.apply(ingest.spec())
    async with ingest.database.sessions() as session, session.begin():
        for number in range(17):
            row = DatasetRow(
                pipeline=ingest.pipeline,
                digest=f"{number:02x}" * 32,
                pipeline_digest=digest,
                state=("checking", "rejected")[number % 2],
                file={},
                bytes=number,
                cause="test",
                file_name=f"{number % 4}_%.csv",
                note="late" if number == 9 else None,
                received_at=start + timedelta(hours=number // 3),
            )
            session.add(row)
    path = f"/datasets/{ingest.pipeline}"

    async def listed(**params: Any) -> list[Any]:
        answer = await ingest.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        found: list[Any] = answer.json()
        return found

    everything = await listed()
    assert len(everything) == 17
    filters: list[tuple[dict[str, str], Callable[[dict[str, Any]], bool]]] = [
        ({}, lambda _: True),
        ({"state": "rejected,accepted"}, lambda each: each["state"] != "checking"),
        ({"since": "2026-11-01T02:00:00Z"}, lambda each: each["received_at"] >= "2026-11-01T02"),
        ({"text": "2_%.CSV"}, lambda each: each["file_name"] == "2_%.csv"),
        ({"text": "LATE"}, lambda each: each["note"] == "late"),
        ({"text": "0B0b", "state": "rejected"}, lambda each: each["digest"].startswith("0b")),
        (
            {"text": "0A0a", "state": "rejected"},
            lambda _: False,
        ),
    ]
    for params, wanted in filters:
        expected = {each["digest"] for each in everything if wanted(each)}
        for limit in (1, 2, 5, 1000):
            found: list[dict[str, Any]] = []
            while page := await listed(
                **params, limit=limit, **({"before": found[-1]["received_at"]} if found else {})
            ):
                found += page
            assert (len(found), {each["digest"] for each in found}) == (len(expected), expected), (params, limit)
    refused = await ingest.http.get(path, params={"state": "refused"})
    assert (refused.status_code, "is none of checking, accepted, rejected" in refused.text) == (400, True)
