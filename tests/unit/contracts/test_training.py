"""Who requested a training, as far as it can be trusted."""

from datetime import UTC, datetime

import pytest
from interlock_contracts.event import Envelope
from interlock_contracts.permissions import user_of
from interlock_contracts.training import GATEWAY_USER, RetrainRequested

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def test_the_gateway_is_the_one_that_may_name_a_caller() -> None:
    """The name of its user is written down twice."""
    assert user_of("gateway") == GATEWAY_USER


@pytest.mark.parametrize(
    ("publisher", "source", "by", "seen"),
    [
        (GATEWAY_USER, "/interlock/gateway", "ada", "ada"),
        (GATEWAY_USER, "/interlock/gateway", None, None),
        ("interlock_operator", "/my/cron", None, "event//my/cron"),
        ("interlock_operator", "/interlock/gateway", "ada", "event//interlock/gateway"),
        (None, "/my/cron", "ada", "event//my/cron"),
    ],
)
def test_an_event_from_outside_cannot_speak_in_the_name_of_a_key(
    publisher: str | None, source: str, by: str | None, seen: str | None
) -> None:
    """Whatever source and name it claims: the broker knows who published it."""
    event = RetrainRequested(model="flights", by=by)
    envelope = Envelope(id="x", source=source, type=event.type, time=NOW)

    assert event.requested_by(envelope, publisher) == seen


def test_a_reason_can_be_stored() -> None:
    """Postgres takes no NUL in a text, and an event may bring one."""
    assert RetrainRequested(model="flights", reason="a\0b").why == "a\N{REPLACEMENT CHARACTER}b"
    assert RetrainRequested(model="flights").why is None
