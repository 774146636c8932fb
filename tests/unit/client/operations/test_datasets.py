"""Data on its way in: a path as it is, a frame as the pipeline declares its files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import polars as pl
import pytest
from interlock_client import InterlockError, RejectedError, StillGoingError
from interlock_contracts.datasets import Finding
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.pipeline_file import InvalidPipelineError

from tests.unit.cli.views import DIGEST, FILE, SPEC, dataset, pipeline
from tests.unit.client.conftest import Call, Service

ONE = f"GET /datasets/m/{DIGEST}"


def test_a_pipeline_is_applied_from_a_file_a_mapping_or_a_spec(service: Service, call: Call, tmp_path: Path) -> None:
    """A file goes as it is written; what it says is checked before anybody is asked."""
    (tmp_path / "pipeline.yaml").write_text(FILE)
    service.respond("PUT /pipelines/m", pipeline())
    assert call("apply", tmp_path / "pipeline.yaml").revision == 1
    assert service.bodies[0].decode() == FILE

    for given in (SPEC, SPEC.model_dump(exclude_unset=True)):
        call("apply", given)
        assert Pipeline.model_validate_json(service.bodies[-1]) == SPEC

    (tmp_path / "pipeline.yaml").write_text(FILE.replace("target", "targte"))
    with pytest.raises(InvalidPipelineError, match="targte"):
        call("apply", str(tmp_path / "pipeline.yaml"))
    assert len(service.requests) == 3


def test_a_file_is_sent_as_it_is_and_its_verdict_waited_for(service: Service, call: Call, tmp_path: Path) -> None:
    """A megabyte at a time; sent again from its beginning where ingest asks for that."""
    content = b"size,price\n" + b"1,2\n" * 400_000
    (tmp_path / "data.csv").write_bytes(content)
    service.refuse("POST /datasets/m", 503, "the pipeline is on its way", after="2")
    service.respond("POST /datasets/m", dataset("checking"), status=202)
    service.respond(ONE, dataset("checking"))
    service.respond(ONE, dataset("accepted"))

    assert call("ingest", "m", tmp_path / "data.csv").dataset.train_rows == 800
    assert service.bodies[0] == service.bodies[1] == content
    assert service.requests[1].headers["content-type"] == "text/csv"
    assert service.requests[1].headers["content-length"] == str(len(content))
    assert dict(service.requests[-1].url.params) == {"pipeline": SPEC.digest}


def test_an_ingest_without_roles_is_no_place_for_an_evaluation_file(
    service: Service, call: Call, tmp_path: Path
) -> None:
    """It has stored a training file, which whoever sent it should hear."""
    (tmp_path / "data.csv").write_text("size,price\n1,2\n")
    service.respond("POST /datasets/m", dataset("accepted", role="evaluation"), status=202)
    service.respond("POST /datasets/m", dataset("accepted"), status=202)
    assert call("ingest", "m", tmp_path / "data.csv", role="evaluation").role == "evaluation"
    assert service.requests[0].url.params["role"] == "evaluation"
    with pytest.raises(InterlockError, match="as a training file"):
        call("ingest", "m", tmp_path / "data.csv", role="evaluation")


@pytest.mark.parametrize("library", [pd, pl])
def test_a_frame_is_written_as_the_pipeline_declares(service: Service, call: Call, library: Any) -> None:
    """Here with a semicolon and an empty cell for null; the index is nobody's column."""
    service.respond("GET /pipelines/m", pipeline())
    service.respond("POST /datasets/m", dataset("accepted"), status=202)
    frame = library.DataFrame({"size": [1.5, None], "color": ["red", "a;b"]})

    assert call("ingest", "m", frame).state == "accepted"
    assert service.bodies[-1] == b'size;color\r\n1.5;red\r\n;"a;b"\r\n'


def test_a_rejected_file_is_an_error_with_every_reason(service: Service, call: Call, tmp_path: Path) -> None:
    """Nobody trains on what was not taken without noticing."""
    (tmp_path / "data.csv").write_text("size\n")
    reasons = [Finding(rule="type", message="'size' is not a number"), Finding(rule="min", message="'size' is below 0")]
    service.respond("POST /datasets/m", dataset("rejected", reasons), status=202)
    with pytest.raises(RejectedError, match=r"not a number\n.*below 0") as raised:
        call("ingest", "m", tmp_path / "data.csv")
    assert raised.value.dataset.reasons == reasons


def test_a_check_that_goes_on_is_an_error(service: Service, call: Call, tmp_path: Path) -> None:
    """Its verdict can be asked for later."""
    (tmp_path / "data.csv").write_text("size\n")
    service.respond("POST /datasets/m", dataset("checking"), status=202)
    service.respond(ONE, dataset("checking"))
    with pytest.raises(StillGoingError, match="after 3 s") as raised:
        call("ingest", "m", tmp_path / "data.csv", timeout=3)
    assert raised.value.seen.state == "checking"


def test_a_dry_run_stores_nothing(service: Service, call: Call, tmp_path: Path) -> None:
    """An ingest that does not know of dry runs has stored the file, and that is told."""
    (tmp_path / "data.csv").write_text("size\n")
    service.respond("POST /datasets/m", {**dataset("accepted"), "dry_run": True})
    service.respond("POST /datasets/m", dataset("checking"), status=202)

    assert call("ingest", "m", tmp_path / "data.csv", dry_run=True).dry_run
    assert dict(service.requests[0].url.params) == {"file_name": "data.csv", "dry_run": "true"}
    with pytest.raises(InterlockError, match="has stored the file as abababababab"):
        call("ingest", "m", tmp_path / "data.csv", dry_run=True)


def test_lists_are_tables(service: Service, call: Call) -> None:
    """Bodies within bodies are columns of their own, in both libraries."""
    service.respond("GET /datasets/m", [dataset("accepted"), dataset("checking")])
    found = call("datasets", "m")

    assert found[1].state == "checking"
    by_pandas, by_polars = found.to_pandas(), found.to_polars()
    assert list(by_pandas["state"]) == by_polars["state"].to_list() == ["accepted", "checking"]
    assert by_polars["dataset.train_rows"].to_list() == [800, None]
    assert by_pandas["dataset.train_rows"].isna().tolist() == [False, True]
    assert "dataset" not in by_polars.columns


def test_a_list_without_anything_is_a_table_without_rows(service: Service, call: Call) -> None:
    """Nobody has to ask first whether there is something."""
    service.respond("GET /datasets/m", [])
    assert call("datasets", "m").to_pandas().empty
    assert call("datasets", "m").to_polars().is_empty()


def test_an_interrupted_upload_leaves_no_file(
    service: Service, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a notebook the traceback lives on, and whatever it holds."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    service.respond("GET /pipelines/m", pipeline())
    monkeypatch.setattr(service, "answer", _interrupted_at("POST", service.answer))
    with pytest.raises(KeyboardInterrupt) as kept:
        call("ingest", "m", pd.DataFrame({"size": [1]}))

    assert kept.value.__traceback__ is not None
    assert not list(tmp_path.iterdir())


def _interrupted_at(method: str, answer: Callable[..., httpx.Response]) -> Callable[..., httpx.Response]:
    def interrupted(request: httpx.Request, body: bytes) -> httpx.Response:
        if request.method == method:
            raise KeyboardInterrupt
        return answer(request, body)

    return interrupted


def test_a_dataset_is_deleted_even_if_the_first_answer_is_lost(service: Service, call: Call) -> None:
    """A repeated request says the same."""
    told = {"deleted_at": "2026-11-30T08:00:00Z", "deleted_by": "ada", "objects_gone_after": "2026-11-30T09:00:00Z"}
    service.refuse(f"DELETE /datasets/m/{DIGEST}", 503)
    service.respond(f"DELETE /datasets/m/{DIGEST}", {"pipeline": "m", "digest": DIGEST, **told})

    found = call("delete_dataset", "m", DIGEST)
    assert (found.digest, found.deleted_by) == (DIGEST, "ada")
    assert len(service.requests) == 2
