"""Bodies of the REST API about dead letters: messages that a service could not handle."""

from datetime import datetime
from typing import Any
from uuid import UUID

from interlock_contracts.http import Body


class DeadLetterView(Body):
    """One dead letter: of which queue, why, after how many attempts, how long ago; and its event's own attributes.

    What is None was not there, or could not be read: a dead letter may be any message at all.
    """

    id: UUID
    queue: str
    reason: str
    attempts: int
    died_at: datetime
    age_seconds: float
    bytes: int
    event_id: str | None = None
    event_type: str | None = None
    subject: str | None = None
    trace_id: str | None = None


class DeadLetterContent(DeadLetterView):
    """A dead letter with its content: ``data`` where the body is JSON, else the beginning of it as ``text``."""

    headers: dict[str, Any]
    content_type: str | None = None
    content_encoding: str | None = None
    data: Any = None
    text: str | None = None
