"""Why a message failed, in the words of a dead letter: what was wrong, and nothing that only a programmer reads."""

import pytest
from interlock_contracts.event import Event
from interlock_contracts.training import RetrainRequested
from interlock_messaging.malformed import in_words, reason_of
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError


def refused(body: bytes, event: type[Event] = RetrainRequested) -> ValueError:
    with pytest.raises(ValidationError) as error:
        event.model_validate_json(body)
    return error.value


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"model": "no name"}', ["model: String should match pattern", "not 'no name'"]),
        (b"{}", ["model: Field required"]),
        (b'{"model": ["a"], "reason": 3}', ["model: Input should be a valid string; reason: ", "not 3"]),
        (b"{", ["Invalid JSON"]),
    ],
)
def test_a_body_that_does_not_fit_is_reported_by_field(body: bytes, words: list[str]) -> None:
    """In one line, without the library's types and addresses."""
    told = reason_of(refused(body), None)
    assert told.startswith("not a valid event: ")
    for each in words:
        assert each in told
    for raw in ("validation error", "http", "[type=", "\n"):
        assert raw not in told


def test_a_long_value_does_not_hide_the_rest() -> None:
    """Each fault is cut, so the next one is still reported."""
    told = in_words(refused(b'{"model": "%s", "reason": 3}' % (b"x y" * 4000)))
    assert "reason: " in told
    assert len(told) < 1200


def test_a_database_error_is_reported_without_the_statement() -> None:
    """The driver's own words, without the class and the SQL around them."""
    driver = Exception("<class 'asyncpg.exceptions.UniqueViolationError'>: duplicate key value\nDETAIL: Key (id)=(1)")
    assert in_words(IntegrityError("INSERT INTO run VALUES ($1)", {"id": 1}, driver)) == "duplicate key value"


def test_other_errors_are_reported_in_one_line() -> None:
    """Lists and logs are made of lines."""
    assert in_words(RuntimeError("first\n  second")) == "first second"
