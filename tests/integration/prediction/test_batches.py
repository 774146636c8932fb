"""Files on their way to an answer: on real RabbitMQ, Postgres and S3, with replicas that die."""

from __future__ import annotations

import io
import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.integration.prediction.batch_lab import CSV, PARQUET, Lab
from tests.support.waiting import until

pytestmark = pytest.mark.integration

ROWS = 1_500_000


def large() -> bytes:
    """Return a Parquet file of several parts."""
    sizes: Any = np.arange(ROWS, dtype=np.float64)
    file = io.BytesIO()
    pq.write_table(pa.table({"size": sizes}), file, compression="none", use_dictionary=False)
    return file.getvalue()


async def test_a_file_is_answered_and_its_result_is_published_and_kept(lab: Lab) -> None:
    """202 at once; then state, event, list and the Parquet file say the same."""
    view = await lab.upload(CSV, key="monday")
    assert (view["state"], view["version"]) == ("queued", 2)

    ended = await lab.predictions.ended(UUID(view["id"]))
    assert (ended["state"], ended["rows"], ended["unanswered"]) == ("completed", 2, 0)
    table = await lab.result(ended)
    assert table.to_pydict() == {
        "size": [3.0, 4.5],
        "color": ["red", None],
        "who": ["Ada", "Grace"],
        "prediction": [2003.0, 2004.5],
        "model_version": [2, 2],
        "prediction_id": [f"{view['id']}/0", f"{view['id']}/1"],
    }
    (published,) = await until(lambda: lab.predictions.events(UUID(view["id"])))
    assert (published.type, published.result_format, published.rows, published.version) == (
        "prediction.completed",
        "parquet",
        2,
        2,
    )
    assert pq.read_table(io.BytesIO(lab.predictions.store.fetch(published.result))).equals(table)
    listed = (await lab.predictions.http("GET", f"/predictions?model={lab.model}", 1)).json()
    assert [each["id"] for each in listed] == [view["id"]]

    assert (await lab.upload(CSV, key="monday"))["id"] == view["id"]
    assert (await lab.upload(CSV + b"1,red,Joan\n", key="monday", status=409))["title"] == "Idempotency-Key reused"


async def test_a_row_that_does_not_fit_fails_the_file_or_is_left_out_by_wish(lab: Lab) -> None:
    """The refusal names the row; with `on_error=null` the other rows are answered."""
    content = CSV + b"big,red,Joan\n"
    failed = await lab.predictions.ended(UUID((await lab.upload(content))["id"]))
    assert failed["state"] == "failed"
    assert failed["reason"].startswith("row 2, column 'size': line 4: 'size' is not a number")
    assert failed["errors"][0]["row"] == 2

    ended = await lab.predictions.ended(UUID((await lab.upload(content, query="?on_error=null"))["id"]))
    assert (ended["state"], ended["unanswered"]) == ("completed", 1)
    table = await lab.result(ended)
    assert table.column("prediction").to_pylist() == [2003.0, 2004.5, None]
    assert "is not a number" in str(table.column("error")[2])


async def test_lists_are_of_some_states_and_of_a_time(lab: Lab) -> None:
    """A state that there is not is refused with those that there are."""
    failed = await lab.predictions.ended(UUID((await lab.upload(CSV + b"big,red,Joan\n"))["id"]))
    done = await lab.predictions.ended(UUID((await lab.upload(CSV))["id"]))

    async def listed(**wanted: str) -> list[str]:
        answer = await lab.predictions.http("GET", "/predictions", params={"model": lab.model, **wanted})
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()]

    assert await listed(state="failed") == [failed["id"]]
    assert await listed(state="queued,completed") == [done["id"]]
    assert await listed(state="failed,completed") == [done["id"], failed["id"]]
    assert await listed(since=done["requested_at"]) == [done["id"]]
    assert await listed(before=done["requested_at"]) == [failed["id"]]
    refused = await lab.predictions.http("GET", "/predictions", params={"state": "done"})
    assert (refused.status_code, refused.json()["detail"][:28]) == (400, "state: 'done' is none of que")


async def test_answers_are_logged_where_that_is_asked_for(lab: Lab) -> None:
    """With the id that the answer has of each row, in the transaction of the result, and gone with it."""
    view = await lab.upload(CSV, query="?log=1", key="logged")
    ended = await lab.predictions.ended(UUID(view["id"]))
    table = await lab.result(ended)

    logged = await until(lambda: [event for event in lab.predictions.logged if event.model == lab.model])
    (event,) = logged
    assert (event.version, event.promotion_seq, event.ratio, event.answered, event.dropped) == (2, 2, 1.0, 2, 0)
    assert event.features == ["size", "color"]
    assert [row.prediction for row in event.rows] == table.column("prediction_id").to_pylist()
    assert [row.values for row in event.rows] == [[3.0, "red"], [4.5, None]]
    assert [row.answer for row in event.rows] == table.column("prediction").to_pylist()

    assert (await lab.upload(CSV, query="?log=1", key="logged"))["id"] == view["id"]
    for other in ("?log=0.5", "", "?log=1&on_error=null"):
        told = await lab.upload(CSV, query=other, key="logged", status=409)
        assert "on_error or log" in told["detail"]
    for wrong in ("?log=2", "?log=-1", "?log=yes"):
        assert (await lab.upload(CSV, query=wrong, status=400))["status"] == 400


async def test_what_cannot_be_taken_in_is_refused_at_once(lab: Lab) -> None:
    """Unknown kinds, unknown models, forms and empty bodies never become predictions."""
    assert "text/csv" in (await lab.upload(CSV, "text/html", status=415))["detail"]
    assert "--data-binary" in (await lab.upload(CSV, "multipart/form-data; boundary=x", status=415))["detail"]
    assert (await lab.upload(b"", status=422))["title"] == "The file is empty"
    lab.model = "nobody"
    assert (await lab.upload(CSV, status=404))["title"] == "Unknown model"


async def test_a_replica_that_is_killed_has_its_file_finished_by_another(lab: Lab) -> None:
    """No part is done twice, the answer is whole, and it is published once."""
    view = await lab.upload(large(), PARQUET)
    before = await until(lambda: lab.noted(view["id"]))
    busy = [replica for replica in lab.predictions.replicas if _scores(replica.process.pid)]
    assert busy, "a file is scored by a process of the replica that took it"
    for replica in busy:
        await replica.stop(signal.SIGKILL)
        replica.start()
    await until(lab.predictions.replicas[0].ready)

    ended = await lab.predictions.ended(UUID(view["id"]), seconds=60)
    assert (ended["state"], ended["rows"]) == ("completed", ROWS)
    after = lab.noted(view["id"])
    assert after[: len(before)] == before < after
    table = await lab.result(ended)
    assert np.array_equal(np.asarray(table.column("prediction")), 2000.0 + np.arange(ROWS))
    (published,) = await until(lambda: lab.predictions.events(UUID(view["id"])))
    assert published.type == "prediction.completed"


def _scores(pid: int) -> bool:
    """Return whether a process has a child that scores."""
    with suppress(FileNotFoundError, ProcessLookupError):  # it may end this moment
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return any(b"interlock_scoring" in Path(f"/proc/{child}/cmdline").read_bytes() for child in children)
    return False


async def test_a_running_file_tells_how_far_it_is_and_can_be_cancelled(lab: Lab) -> None:
    """The scoring process ends, the state stays cancelled, and it is published."""
    view = await lab.upload(large(), PARQUET)

    async def progress() -> Any:
        return (await lab.predictions.read(UUID(view["id"]))).json()["progress"]

    assert (await until(progress))["rows_total"] == ROWS
    answer = await lab.predictions.http("POST", f"/predictions/{view['id']}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")

    await until(lambda: not any(_scores(each.process.pid) for each in lab.predictions.replicas))
    assert (await lab.predictions.read(UUID(view["id"]))).json()["state"] == "cancelled"
    (published,) = await until(lambda: lab.predictions.events(UUID(view["id"])))
    assert published.outcome == "cancelled"
    assert (await lab.predictions.http("GET", f"/predictions/{view['id']}/result")).status_code == 409


async def test_a_schedule_is_kept_once_however_many_replicas_look(lab: Lab) -> None:
    """The tick is one prediction, over the newest accepted dataset, named for its batch."""
    digest = lab.predictions.store.put(CSV, holdout=True).sha256
    lab.peers.datasets = {digest: CSV}
    due = datetime.now(UTC) - timedelta(minutes=2)
    missing = f"incoming/{lab.model}/new.csv"
    when = f"{due.minute} {due.hour} * * *"
    lab.peers.batches[lab.model] = [
        {"name": "nightly", "schedule": when},
        {"name": "hourly", "schedule": when, "object": missing},
    ]

    async def listed() -> Any:
        found = (await lab.predictions.http("GET", f"/predictions?model={lab.model}")).json()
        ended = [each for each in found if each["ended_at"]]
        return {each["schedule"]: each for each in ended} if len(ended) == 2 else None

    ended = await until(listed, seconds=30)
    assert ended["nightly"]["state"] == "completed"
    assert (await lab.result(ended["nightly"])).num_rows == 2
    assert ended["hourly"]["state"] == "failed"
    assert "nothing is stored" in ended["hourly"]["reason"]
