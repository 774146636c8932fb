"""`training-log`: what a training has printed, once or followed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_cli import training_log
from interlock_cli.training_log import OVERLAP, added

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import RUN

ROUTE = f"GET /runs/{RUN}/logs"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_log, "POLL_SECONDS", 0.001)


def respond(stub: StubGateway, text: str, *, attempt: int = 1, complete: bool = False) -> None:
    headers = {"Interlock-Attempt": str(attempt), "Interlock-Log-Complete": str(complete).lower()}
    stub.respond(ROUTE, text.encode(), headers=headers)


def test_a_log_is_printed_as_it_is_but_for_what_changes_the_terminal(stub: StubGateway) -> None:
    """A job prints whatever it likes; letters and line ends stay."""
    respond(stub, "one\ttwo\n\x1b[31mr\u00e9d\x1b[0m\x07\rthree\x9b\n", complete=True)
    ended = interlock("training-log", RUN, "--attempt", "1")

    assert ended.out == "one\ttwo\nr\u00e9dthree\n"
    assert stub.requests[-1].query == "attempt=1"


def test_a_log_is_followed_to_its_end_and_nothing_is_printed_twice(stub: StubGateway) -> None:
    """Also when another attempt begins in between."""
    respond(stub, "one\n")
    respond(stub, "one\ntwo\n")
    respond(stub, "again\n", attempt=2)
    respond(stub, "again\ndone\n", attempt=2, complete=True)
    ended = interlock("training-log", RUN, "--follow")

    assert ended.out == "one\ntwo\nagain\ndone\n"
    assert ended.code == 0


def test_programs_get_one_document(stub: StubGateway) -> None:
    """With what is known of the log."""
    respond(stub, "one\n", complete=True)

    assert json.loads(interlock("training-log", RUN, "--json").out) == {"text": "one\n", "attempt": 1, "complete": True}


def test_a_log_that_is_lost_is_told(stub: StubGateway) -> None:
    """As the dispatcher says it."""
    stub.respond_error(ROUTE, 404, "neither Ray nor the object store has it")
    ended = interlock("training-log", RUN)

    assert ended.code == 1
    assert "neither Ray nor the object store has it" in ended.err


@given(st.lists(st.integers(0, 10**9), unique=True, min_size=1, max_size=400), st.data())
def test_what_is_new_is_found_though_the_beginning_is_gone(numbers: list[int], data: st.DataObject) -> None:
    """The service keeps the end of a log; with the end of before still there, nothing is missing or repeated."""
    lines = [f"line {number}\n" for number in numbers]
    seen = data.draw(st.integers(1, len(lines)))
    before = "".join(lines[:seen])
    whole = "".join(lines)
    gone = data.draw(st.integers(0, max(0, len(before) - OVERLAP)))
    assert added(before, whole[gone:] if not gone else "[cut]\n" + whole[gone:]) == whole[len(before) :]
