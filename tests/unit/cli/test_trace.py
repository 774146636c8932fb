"""`trace`: a run's spans as a tree."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import interlock
from tests.unit.cli.door import Door
from tests.unit.cli.views import RUN, run

TRACE = "0af7651916cd43dd8448eb211c80319c"


def span(name: str, parent: str | None, start_ms: int, end_ms: int, **more: Any) -> str:
    times = {"start_ns": start_ms * 1_000_000, "end_ns": end_ms * 1_000_000}
    line = {"trace_id": TRACE, "span_id": name, "parent_id": parent, "service": "interlock-gateway", "name": name}
    return json.dumps({**line, **times, "status": "UNSET", "attributes": {}, "links": [], **more}) + "\n"


@pytest.fixture
def spans(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "spans"
    folder.mkdir()
    (folder / "gateway-1.jsonl").write_text(
        span("retrain", None, 0, 10)
        + span("elsewhere", None, 0, 1, trace_id="f" * 32)
        + span("swap", "train", 2000, 2004, attributes={"interlock.model.version": 2})
    )
    (folder / "train_dispatch-2.jsonl").write_text(
        span("train", "retrain", 1000, 1900, service="interlock-train_dispatch", status="ERROR", status_message="lost")
        + '{"half'
    )
    monkeypatch.setenv("INTERLOCK_SPANS_DIR", str(folder))
    door.says(f"GET /runs/{RUN}", run("succeeded", trace_id=TRACE))
    return folder


@pytest.mark.usefixtures("spans")
def test_the_tree_spans_all_files_of_one_trace() -> None:
    """Parents above children whatever file they stand in, with offset, duration and errors; other traces left out."""
    lines = interlock("trace", RUN).out.splitlines()

    assert lines[0] == f"trace {TRACE}: 3 spans of 2 services, 2.00 s"
    assert [line.lstrip(" └─") for line in lines[1:4]] == [
        "gateway retrain +0 ms 10.0 ms",
        "train_dispatch train +1,000 ms 900.0 ms error: lost",
        "gateway swap +2,000 ms 4.0 ms version=2",
    ]


def test_many_repeats_are_one_line(spans: Path) -> None:
    """Progress, said again and again, does not bury the way."""
    with (spans / "gateway-1.jsonl").open("a") as file:
        for number in range(5):
            file.write(span("send progress", "train", 1100 + number, 1101 + number, span_id=f"s{number}"))
    ended = interlock("trace", RUN)

    assert ended.out.count("send progress") == 1
    assert "gateway send progress, 5 times from +1,100 ms" in ended.out


@pytest.mark.usefixtures("spans")
def test_with_json_the_tree_is_nested() -> None:
    """Programs get every span with its children."""
    (root,) = interlock("trace", RUN, "--json").json["spans"]

    assert root["name"] == "retrain"
    assert root["children"][0]["children"][0]["name"] == "swap"


@pytest.mark.usefixtures("spans")
def test_a_trace_id_does_without_a_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are enough where the run is known by its trace."""
    monkeypatch.setenv("INTERLOCK_GATEWAY_URL", "http://127.0.0.1:1")

    assert interlock("trace", TRACE).code == 0


def test_what_is_missing_is_said(spans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such trace and no folder are told apart, and a word that is no id is wrong usage."""
    assert "no span of trace" in interlock("trace", "0" * 32).err
    assert interlock("trace", "latest").code == 2
    monkeypatch.setenv("INTERLOCK_SPANS_DIR", str(spans / "nowhere"))
    assert "no local span files" in interlock("trace", RUN).err
