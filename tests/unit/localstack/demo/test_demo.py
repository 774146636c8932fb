"""What the demo is made of; the story itself is told in `tests/e2e/test_demo.py`."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from interlock_localstack.demo import flights, load
from interlock_localstack.demo.load import Answer, LoadGenerator

from tests.unit.cli.stub_gateway import KEY, StubGateway, running_stub

HEADER = "year,month,day,distance,dest"


@pytest.fixture
def stub() -> Iterator[StubGateway]:
    with running_stub() as opened:
        yield opened


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_month_is_cut_as_it_stands_in_the_archive(tmp_path: Path) -> None:
    """Header and rows are the package's own bytes, and January is not also October."""
    assert flights.extract_month(1, tmp_path / "january.csv") == 27_004
    lines = (tmp_path / "january.csv").read_text().splitlines()

    assert lines[0].startswith("year,month,day,dep_time")
    assert {line.split(",")[1] for line in lines[1:]} == {"1"}


def test_a_spoilt_month_has_words_and_negative_numbers_in_one_column(tmp_path: Path) -> None:
    """Everything else stays as it was."""
    rows = [f"2013,3,1,{number},LAX" for number in range(100, 2600)]
    (tmp_path / "march.csv").write_text("\n".join([HEADER, *rows, ""]))
    flights.corrupt(tmp_path / "march.csv", tmp_path / "bad.csv")
    cells = [line.split(",") for line in (tmp_path / "bad.csv").read_text().splitlines()]

    assert ",".join(cells[0]) == HEADER
    assert [row for row in cells[1:] if row[3] == "far"] == [["2013", "3", "1", "far", "LAX"]] * 3
    assert [row[3] for row in cells if row[3].startswith("-")] == ["-101", "-1101", "-2101"]


def test_the_load_generator_sees_versions_go_up_and_counts_failures(
    stub: StubGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused request is a failure with its reason, not a gap."""
    monkeypatch.setattr(load, "PAUSE", 0.001)
    for version in (1, 1, 2):
        stub.respond("POST /models/m/predict", {"version": version})
    with LoadGenerator(stub.url, KEY, "m", {"size": 1}) as client:
        until(lambda: client.all_answered_by(2))
        assert client.failures == []
        stub.responses.clear()
        stub.respond_error("POST /models/m/predict", 503, "not loaded")
        until(lambda: bool(client.failures))

    assert client.failures[0].startswith("503")
    assert client.first_answer_of(2) <= time.time()
    assert client.total > 3


def test_a_step_back_is_seen_though_every_request_was_answered() -> None:
    """Each connection counts by itself: two workers may swap a moment apart."""
    apart = LoadGenerator("", "", "m", {}, [[Answer(1, 1), Answer(2, 2)], [Answer(1, 2), Answer(3, 2)]])
    back = LoadGenerator("", "", "m", {}, [[Answer(1, 2), Answer(2, 1)]])

    assert apart.monotonic
    assert not back.monotonic


def test_a_gateway_that_is_away_is_a_failure_too() -> None:
    """A refused connection is what a dropped request looks like from outside."""
    with LoadGenerator("http://127.0.0.1:1", KEY, "m", {}) as client:
        until(lambda: bool(client.failures))

    assert "ConnectError" in client.failures[0]
