"""How far a file has moved from the one before, over REST."""

import pytest

from tests.support.ingest_service import Ingest

pytestmark = pytest.mark.integration


def numbers(offset: float) -> bytes:
    """Return a file of two hundred rows whose x begin at ``offset``."""
    return b"x,y\n" + b"".join(f"{n + offset},{n}\n".encode() for n in range(200))


async def test_a_file_tells_how_far_it_has_moved_from_the_one_before(ingest: Ingest) -> None:
    """From the last that was accepted before, whether it is accepted itself or not."""
    first, second = await ingest.upload(numbers(0)), await ingest.upload(numbers(1000))
    await ingest.worker.validate_files()
    refused = await ingest.upload(b"x,y\nnone,1\n" + numbers(2000)[4:])
    await ingest.worker.validate_files()

    views = [await ingest.result(view["digest"]) for view in (first, second, refused)]

    assert [view["state"] for view in views] == ["accepted", "accepted", "rejected"]
    assert views[0]["drift"] is None
    assert (views[1]["drift"]["against"], views[1]["drift"]["batch"]) == (first["digest"], 1)
    assert {each["column"]: each["verdict"] for each in views[1]["drift"]["columns"]} == {"x": "large", "y": "stable"}
    assert (views[2]["drift"]["against"], views[2]["drift"]["verdict"]) == (second["digest"], "large")
