"""A file's digest by its beginning."""

import pytest
from interlock_ingest.store import DatasetRow
from sqlalchemy import inspect, select

from tests.support.ingest_service import Ingest

pytestmark = pytest.mark.integration

GOOD = b"x,y\n" + b"".join(f"{n},{2 * n}\n".encode() for n in range(50))


async def test_the_beginning_of_a_digest_is_enough_to_read_a_dataset(ingest: Ingest) -> None:
    """Where no other file of the pipeline begins so; what is deleted is named whole."""
    digest: str = (await ingest.upload(GOOD))["digest"]
    address = f"/datasets/{ingest.pipeline}"
    begun = digest[:10]
    found = await ingest.http.get(f"{address}/{begun.upper()}")
    other = digest[:-1] + ("1" if digest[-1] == "0" else "0")
    async with ingest.bus.transaction() as session:
        row = await session.scalar(select(DatasetRow).where(DatasetRow.digest == digest))
        values = {each.key: getattr(row, each.key) for each in inspect(DatasetRow).column_attrs}
        kept = {name: value for name, value in values.items() if value is not None}
        session.add(DatasetRow(**kept | {"digest": other}))
    several = await ingest.http.get(f"{address}/{begun}")

    assert found.json()["digest"] == digest
    assert several.status_code == 409
    assert [each["id"] for each in several.json()["errors"]] == sorted([digest, other])
    assert (await ingest.http.get(f"{address}/{digest}")).json()["digest"] == digest
    for unknown in (f"{int(begun, 16) ^ 1:010x}", digest[:7], "flights-1"):
        assert (await ingest.http.get(f"{address}/{unknown}")).status_code == 404
    assert (await ingest.http.delete(f"{address}/{digest[:-1]}")).status_code == 404
