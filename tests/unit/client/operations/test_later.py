"""Asynchronous predictions: submitted, waited for, cancelled."""

from typing import Any
from uuid import UUID

import pandas as pd
import pytest
from interlock_client import EndedError, StillGoingError
from interlock_contracts.prediction_bodies import PredictionAccepted, PredictionLinks

from tests.unit.client.conftest import Call, Service

ID = UUID("0b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11")
SUBMIT, LOOK = "POST /models/m/predictions", f"GET /predictions/{ID}"
ACCEPTED = PredictionAccepted(id=ID, links=PredictionLinks.of(ID))
ANSWER = {"id": str(ID), "model": "m", "version": 2, "predictions": [1.5, 2.5]}


def view(state: str, **more: Any) -> dict[str, Any]:
    links = PredictionLinks.of(ID).model_dump(mode="json")
    return {"id": str(ID), "state": state, "requested_at": "2026-11-30T10:00:00Z", "links": links, **more}


def test_a_frame_is_submitted_once_and_answered_later(service: Service, call: Call) -> None:
    """The request has a key of its own, so it may be sent again; its prediction is unknown for a moment."""
    service.refuse(SUBMIT, 503, after="1")
    service.respond(SUBMIT, ACCEPTED.model_dump(mode="json"), status=202)
    accepted = call("predict_later", "m", pd.DataFrame({"size": [1.0, None]}), ttl_seconds=60)
    first, second = service.requests
    assert service.json() == {"rows": [{"size": 1.0}, {"size": None}], "ttl_seconds": 60}
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]

    service.refuse(LOOK, 404, "not yet")
    service.respond(LOOK, view("queued"))
    service.respond(LOOK, view("completed", answer=ANSWER, ended_at="2026-11-30T10:00:01Z"))
    assert call("answered", accepted).predictions == [1.5, 2.5]


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_what_ends_otherwise_is_an_error_with_its_reason(service: Service, call: Call, state: str) -> None:
    """Nobody waits for it any longer."""
    service.respond(LOOK, view(state, reason="no version of 'm' is promoted", ended_at="2026-11-30T10:00:01Z"))
    with pytest.raises(EndedError, match=f"is {state}: no version of 'm' is promoted") as caught:
        call("answered", str(ID))
    assert caught.value.seen.state == state


def test_waiting_has_an_end(service: Service, call: Call) -> None:
    """The prediction goes on, and the error tells how far it had come."""
    service.respond(LOOK, view("queued"))
    with pytest.raises(StillGoingError, match="no answer after 0 s") as caught:
        call("answered", ID, timeout=0)
    assert caught.value.seen.state == "queued"


def test_a_prediction_is_cancelled_by_its_id_or_by_what_was_accepted(service: Service, call: Call) -> None:
    """Both name the same."""
    service.respond(f"POST /predictions/{ID}/cancel", view("cancelled", ended_at="2026-11-30T10:00:01Z"))
    assert call("cancel_prediction", ACCEPTED).state == "cancelled"
    assert call("cancel_prediction", str(ID)).state == "cancelled"
    assert len(service.requests) == 2
