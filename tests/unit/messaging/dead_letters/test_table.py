"""The publisher header of a replayed dead letter: the registry publishes it, and is trusted."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pamqp.encode
import pytest
from faststream.rabbit import RabbitBroker
from interlock_messaging.dead_letters import table
from interlock_messaging.delivery import FURTHER_KEYS
from interlock_messaging.publisher_identity import PUBLISHED_BY


class Session:
    """Deletes dead letters, as a session does."""

    async def delete(self, letter: object) -> None:
        self.deleted = letter


@pytest.mark.parametrize(("speaker", "published_by"), [(None, ""), ("interlock_gateway", "interlock_gateway")])
async def test_a_forged_dead_letter_keeps_its_real_publisher(
    monkeypatch: pytest.MonkeyPatch, speaker: str | None, published_by: str
) -> None:
    """Slipped among the dead letters with a header that names the gate, it is replayed without that header."""
    published: dict[str, Any] = {}

    async def publish(_broker: object, _body: bytes, **options: Any) -> None:
        published.update(options)

    monkeypatch.setattr(table, "publish", publish)
    forged: dict[str, Any] = {PUBLISHED_BY: "interlock_evaluation_gate", "CC": ["train_dispatch.evaluation.passed"]}
    letter = table.DeadLetterRow(
        id=uuid4(),
        queue="registry.evaluation.passed",
        reason="",
        attempts=1,
        died_at=datetime.now(UTC),
        speaker=speaker,
        headers=pamqp.encode.field_table(forged),
        body=b"{}",
    )
    await table.replay(Session(), letter, RabbitBroker())  # type: ignore[arg-type]

    assert published["headers"][PUBLISHED_BY] == published_by
    assert not published["headers"].keys() & FURTHER_KEYS
