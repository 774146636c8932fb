"""Where a file came from: what it is called, who uploaded it, and what is to be known of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.ingest_service import Ingest, ingesting

pytestmark = pytest.mark.integration

GOOD = b"x,y\n" + b"".join(f"{n},{2 * n}\n".encode() for n in range(50))


@pytest.fixture
async def ingest(servers: dict[str, str], tmp_path: Path) -> AsyncIterator[Ingest]:
    async with ingesting(servers, tmp_path) as made:
        yield made


async def test_a_file_keeps_its_name_its_note_and_who_uploaded_it(ingest: Ingest) -> None:
    """Of its first upload; a submitted object is called as its key ends."""
    first = await ingest.upload(GOOD, params={"file_name": "january.csv", "note": "from the warehouse\nby hand"})
    await ingest.upload(GOOD, params={"file_name": "copy of january.csv"})
    plain = await ingest.upload(GOOD + b"1,1\n")
    key = f"incoming/{ingest.pipeline}/2026/february.csv"
    ingest.artifacts.put_latest(key, GOOD + b"2,2\n")
    await ingest.submit(key)
    await ingest.worker.check_files()

    listed = (await ingest.http.get(f"/datasets/{ingest.pipeline}")).json()
    told = {view["digest"]: (view["file_name"], view["note"], view["uploaded_by"]) for view in listed}
    assert told[first["digest"]] == ("january.csv", "from the warehouse\nby hand", "admin")
    assert told[plain["digest"]] == (None, None, "admin")
    assert ("february.csv", None, None) in told.values()
    assert [said.get("uploaded_by") for _, said in await ingest.said()] == ["admin", "admin", None]


@pytest.mark.parametrize("name", ["file_name", "note"])
async def test_a_name_that_is_too_long_is_refused(ingest: Ingest, name: str) -> None:
    """Before the file is read; a NUL is no part of any query."""
    too_long = await ingest.http.post(f"/datasets/{ingest.pipeline}", params={name: "x" * 2000}, content=GOOD)
    with_nul = await ingest.http.post(f"/datasets/{ingest.pipeline}", params={name: "a\0b"}, content=GOOD)

    assert (too_long.status_code, with_nul.status_code) == (400, 400)
    assert name in too_long.text
