"""`dead-letters list`, `show`, `replay` and `discard`."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from interlock_contracts.dead_letters import DeadLetterContent, DeadLetterView

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import NOW, plain

ONE, TWO = UUID(int=1), UUID(int=2)
QUEUE = "registry.training.completed"


def letter(letter_id: UUID = ONE, **more: Any) -> DeadLetterView:
    return DeadLetterView(
        id=letter_id, queue=QUEUE, reason="no such model", attempts=6, died_at=NOW, age_seconds=7200, bytes=2, **more
    )


def test_list_shows_the_reason_of_each_dead_letter(stub: StubGateway) -> None:
    """Queue, age, attempts and reason, on one line each."""
    stub.respond("GET /dead-letters", [plain(letter())])
    ended = interlock("dead-letters", "list", "--queue", QUEUE)

    for part in (str(ONE), QUEUE, "2 h", "6", "no such model"):
        assert part in ended.out
    assert f"queue={QUEUE}" in stub.requests[0].query


def test_show_prints_the_events_own_content(stub: StubGateway) -> None:
    """What was said, and by which trace to find where it came from."""
    whole = DeadLetterContent(**letter(trace_id="ab" * 16).model_dump(), headers={}, data={"model": "flights-1"})
    stub.respond(f"GET /dead-letters/{ONE}", plain(whole))
    ended = interlock("dead-letters", "show", ONE)

    assert '"model": "flights-1"' in ended.out
    assert "ab" * 16 in ended.out


def test_all_of_a_queue_are_replayed_oldest_first(stub: StubGateway) -> None:
    """In the order in which they died; one that is gone meanwhile is told of and stops nothing."""
    older = letter(TWO).model_copy(update={"died_at": NOW - timedelta(hours=1)})
    stub.respond("GET /dead-letters", [plain(letter()), plain(older)])
    stub.respond("GET /dead-letters", [])
    stub.respond(f"POST /dead-letters/{ONE}/replay", plain(letter()))
    stub.respond_error(f"POST /dead-letters/{TWO}/replay", 404, "it may have been replayed")
    ended = interlock("dead-letters", "replay", "--queue", QUEUE)

    assert [each.route for each in stub.requests[2:]] == [f"POST /dead-letters/{each}/replay" for each in (TWO, ONE)]
    assert "it may have been replayed" in ended.out
    assert "1 replayed" in ended.out


def test_discard_answers_programs_with_what_is_gone(stub: StubGateway) -> None:
    """One JSON document, as everywhere."""
    stub.respond(f"DELETE /dead-letters/{ONE}", plain(letter()))

    assert [each["id"] for each in interlock("dead-letters", "discard", ONE, "--json").json] == [str(ONE)]


@pytest.mark.parametrize("words", [[], [str(ONE), "--all"], ["--all", "--queue", QUEUE]])
def test_which_letters_must_be_said_in_one_way(stub: StubGateway, words: list[str]) -> None:
    """Nothing named is not everything."""
    assert interlock("dead-letters", "replay", *words).code == 2
    assert not stub.requests
