"""Whatever event asks for a prediction, it can be shown: one bad request breaks no list."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_contracts.event import Envelope
from interlock_contracts.prediction_bodies import PredictionView
from interlock_contracts.predictions import PredictionRequested, RowFault
from interlock_messaging.batch_consumer import BatchMessage
from interlock_prediction.async_worker import _ended_event, _ended_row
from interlock_prediction.domain import Refusal
from interlock_prediction.routes import view
from interlock_prediction.store import PredictionRow, WebhookRow

from tests.support.event_strategies import envelopes, events

NOW = datetime(2026, 11, 29, tzinfo=UTC)
WORDS = st.text(max_size=20)
FAULTS = st.lists(st.builds(RowFault, row=st.integers(0, 10**6), column=st.none() | WORDS, message=WORDS), max_size=3)


@settings(max_examples=100)
@given(st.data(), st.builds(Refusal, st.text(max_size=50), FAULTS))
def test_every_refused_prediction_can_be_shown_and_published(data: st.DataObject, refusal: Refusal) -> None:
    """Whoever has published the request, and whatever was wrong with it."""
    event = data.draw(events(PredictionRequested.type))
    assert isinstance(event, PredictionRequested)
    envelope: Envelope = data.draw(envelopes(event))
    message: Any = BatchMessage(event, envelope, message=None)  # type: ignore[arg-type]
    stored = _ended_row(message, refusal, NOW)
    fields = {name: getattr(stored, name) for name in stored.__dataclass_fields__}
    row = PredictionRow(**fields | {"errors": msgspec.json.decode(stored.errors or "[]")})
    hook = WebhookRow(url=event.webhook.url, state="pending", attempts=0) if event.webhook else None

    told = view(row, hook)

    assert PredictionView.model_validate_json(told.model_dump_json()) == told
    assert (told.id, told.model, told.state) == (event.prediction_id, event.model, "failed")
    assert told.reason == refusal.reason
    assert _ended_event(message, refusal, NOW).body()
