"""`trace`: a run's spans as a waterfall."""

import json
from pathlib import Path
from typing import Any

import pytest
from interlock_cli.spans import Span, Trace
from interlock_cli.waterfall import waterfall
from interlock_contracts.console import OpenStep, RunLanes
from rich.console import Console

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import NOW, RUN, plain, run

TRACE = "0af7651916cd43dd8448eb211c80319c"


def span(name: str, parent: str | None, start_ms: int, end_ms: int, **more: Any) -> dict[str, Any]:
    """Return a span as the console tells it."""
    times = {"start_ns": start_ms * 1_000_000, "duration_ns": (end_ms - start_ms) * 1_000_000}
    told = {"span_id": name, "parent_id": parent, "service": "interlock-gateway", "name": name, **times}
    return {**told, "status": "UNSET", "attributes": {}, "links": [], **more}


def line(*arguments: Any, **more: Any) -> str:
    """Return a span as a line of a span file."""
    told = span(*arguments, **{"trace_id": TRACE, **more})
    return json.dumps({**told, "end_ns": told["start_ns"] + told.pop("duration_ns")}) + "\n"


SPANS = [
    span("retrain", None, 0, 10),
    span(
        "swap",
        "train",
        2000,
        2004,
        attributes={"interlock.model.version": 2, "interlock.attempt": 2},
        links=[{"trace_id": "a" * 32, "span_id": "b"}],
    ),
    span("train", "retrain", 1000, 1900, service="interlock-train_dispatch", status="ERROR", status_message="lost"),
]


@pytest.fixture
def console(stub: StubGateway, monkeypatch: pytest.MonkeyPatch) -> StubGateway:
    monkeypatch.setenv("INTERLOCK_CONSOLE_URL", stub.url)
    stub.respond(f"GET /runs/{RUN}", run("succeeded", trace_id=TRACE))
    return stub


@pytest.fixture
def files(stub: StubGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "spans"
    folder.mkdir()
    (folder / "gateway-1.jsonl").write_text(line("retrain", None, 0, 10) + line("else", None, 0, 1, trace_id="f" * 32))
    (folder / "train_dispatch-2.jsonl").write_text(line("train", "retrain", 1000, 1900) + '{"half')
    monkeypatch.setenv("INTERLOCK_SPANS_DIR", str(folder))
    stub.respond(f"GET /runs/{RUN}", run("succeeded", trace_id=TRACE))
    return folder


def test_the_waterfall_has_every_hop_below_its_cause(console: StubGateway) -> None:
    """Parents above children, with offset, duration, errors, what a span is about and how many links it has."""
    console.respond(f"GET /view/traces/{TRACE}", {"trace_id": TRACE, "spans": SPANS, "open": []})
    lines = interlock("trace", RUN).out.splitlines()

    assert lines[0] == f"trace {TRACE} of run {RUN}: m, succeeded"
    assert lines[1] == "3 spans of 2 services in 2.0 s"
    rows = [each.split() for each in lines[3:6]]
    assert [row[:2] for row in rows] == [["gateway", "retrain"], ["train_dispatch", "train"], ["gateway", "swap"]]
    assert [row[-3:] for row in rows] == [["ms", "10", "ms"], ["s", "900", "ms"], ["s", "4.0", "ms"]]
    assert "error: lost" in lines[4]
    assert "version=2 attempt=2 ↗ 1" in lines[5]


def test_bars_stand_where_the_time_went_and_dots_where_it_was_waited() -> None:
    """The second half of the trace is the second half of the width, and between cause and effect nothing worked."""
    told = [span("a", None, 0, 500), span("b", "a", 1000, 2000)]
    trace = Trace(TRACE, [Span.model_validate({"trace_id": TRACE, **each}) for each in told])
    terminal = Console(width=100)
    with terminal.capture() as captured:
        terminal.print(waterfall(trace))
    _, first, second = captured.get().splitlines()
    bars = {name: (row.index("█"), row.rindex("█")) for name, row in (("a", first), ("b", second))}
    width = bars["b"][1] - bars["a"][0] + 1

    assert bars["a"][1] - bars["a"][0] + 1 == pytest.approx(width / 4, abs=1)
    assert bars["b"][0] - bars["a"][0] == pytest.approx(width / 2, abs=1)
    assert second.count("·") == pytest.approx(width / 4, abs=1)


def test_many_repeats_are_one_line(console: StubGateway) -> None:
    """Progress, said again and again, does not bury the way."""
    said = [span("send training.progressed", "train", 1100 + n, 1101 + n, span_id=f"s{n}") for n in range(5)]
    console.respond(f"GET /view/traces/{TRACE}", {"spans": [*SPANS, *said]})
    ended = interlock("trace", RUN)

    assert ended.out.count("send training.progressed") == 1
    assert "send training.progressed (5 times)" in ended.out


def test_what_is_not_there_yet_is_said(console: StubGateway) -> None:
    """An orphan is told as one, and what is known to go on still is named, not left out in silence."""
    told = {
        "spans": [span("swap", "absent", 0, 1)],
        "open": [{"span_id": "absent", "since_ns": 0, "children": ["swap"]}],
    }
    console.respond(f"GET /view/traces/{TRACE}", told)
    console.responses.pop(f"GET /runs/{RUN}")
    console.respond(f"GET /runs/{RUN}", run("running", trace_id=TRACE))
    step = OpenStep(lane="training", name="search", since_ns=0)
    lanes = RunLanes(run_id=RUN, model="m", state="running", requested=NOW, lanes=[], open=[step])
    console.respond(f"GET /view/runs/{RUN}", plain(lanes))

    assert "parent missing" in interlock("trace", TRACE).out
    assert "1 parent spans are missing" in interlock("trace", TRACE).out
    assert "incomplete; still open: training: search" in interlock("trace", RUN).out


def test_with_json_the_tree_is_nested(console: StubGateway) -> None:
    """Programs get every span with its children."""
    console.respond(f"GET /view/traces/{TRACE}", {"spans": SPANS})
    (root,) = interlock("trace", RUN, "--json").json["spans"]

    assert root["name"] == "retrain"
    assert root["children"][0]["children"][0]["name"] == "swap"


@pytest.mark.usefixtures("files")
def test_without_a_console_the_span_files_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """All files of the folder, one trace; a trace id does without a gateway, a console that is down is no hindrance."""
    assert "2 spans" in interlock("trace", RUN).out
    monkeypatch.setenv("INTERLOCK_GATEWAY_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("INTERLOCK_CONSOLE_URL", "http://127.0.0.1:1")
    assert "2 spans" in interlock("trace", TRACE).out


def test_a_trace_that_nobody_knows_is_told(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With why the console has not helped; and a word that is no id is wrong usage."""
    ended = interlock("trace", "0" * 32)

    assert (ended.code, "no console is configured" in ended.err) == (1, True)
    assert interlock("trace", "latest").code == 2
    monkeypatch.setenv("INTERLOCK_SPANS_DIR", str(files / "nowhere"))
    assert "no span of trace" in interlock("trace", RUN).err
