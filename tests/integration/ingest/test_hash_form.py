"""How a pipeline's rows are hashed is decided with its first spec, for good, on a real broker and database."""

import io
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from interlock_contracts.refs import DatasetRef
from interlock_ingest.store import SpecRow, hash_form
from interlock_modeling.split import ROW_COLUMN, form_of, row_hashes
from sqlalchemy import update

from tests.support.ingest_service import Ingest

pytestmark = pytest.mark.integration


def rows(start: int) -> bytes:
    return b"x,y\n" + b"".join(f"{n},{2 * n}\n".encode() for n in range(start, start + 50))


async def stored_form(ingest: Ingest, start: int) -> int:
    """Upload a file; return the form that its parts tell, which is that of their hashes."""
    view = await ingest.upload(rows(start))
    await ingest.worker.validate_files()
    dataset = DatasetRef.model_validate((await ingest.result(view["digest"]))["dataset"])
    forms = set()
    for ref in (dataset.train, dataset.holdout):
        part = pq.read_table(io.BytesIO(ingest.artifacts.fetch(ref)))
        form = form_of(part.schema)
        columns = {name: part[name].combine_chunks() for name in ("x", "y")}
        assert part[ROW_COLUMN].to_pylist() == row_hashes(columns, form, ingest.pipeline).tolist()
        forms.add(form)
    [only] = forms
    return only


async def test_a_new_pipeline_has_the_form_that_is_set_and_keeps_it(ingest: Ingest) -> None:
    """Also where a replica of the last release has kept a later spec, or another form is set since."""
    ingest.hash_form = 2
    ingest.pipeline = f"m-{uuid4().hex[:8]}"
    await ingest.apply(ingest.spec())
    assert await stored_form(ingest, 0) == 2
    ingest.hash_form = 1
    later = ingest.spec(min_rows=2)
    await ingest.apply(later, revision=2)
    async with ingest.database.sessions() as session, session.begin():
        await session.execute(update(SpecRow).where(SpecRow.digest == later.digest).values(hash_form=1))
    assert await stored_form(ingest, 100) == 2


async def test_a_pipeline_of_the_last_release_keeps_the_first_form(ingest: Ingest) -> None:
    """Under its newer specs as well: rows stay on the side where they were."""
    ingest.hash_form = 2
    await ingest.apply(ingest.spec(min_rows=2), revision=2)
    assert await stored_form(ingest, 0) == 1
    async with ingest.database.sessions() as session:
        assert await hash_form(session, ingest.pipeline) == 1
        assert await hash_form(session, "nobody", new=2) == 2
