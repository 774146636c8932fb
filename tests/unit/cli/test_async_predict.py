"""`predict --async`: asking without waiting."""

from typing import Any
from uuid import UUID

import pytest
from interlock_contracts.prediction_bodies import PredictionAccepted, PredictionLinks, PredictionView
from interlock_contracts.predictions import PredictionState

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import NOW, plain

ID = UUID("0b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11")
ANSWER = {"id": str(ID), "model": "m", "version": 2, "predictions": [1.5]}


def view(state: PredictionState, **more: Any) -> Any:
    return plain(PredictionView(id=ID, model="m", state=state, requested_at=NOW, links=PredictionLinks.of(ID), **more))


@pytest.fixture
def accepting(stub: StubGateway) -> StubGateway:
    stub.respond(
        "POST /models/m/predictions", plain(PredictionAccepted(id=ID, links=PredictionLinks.of(ID))), status=202
    )
    return stub


def test_who_does_not_wait_is_told_where_to_look(accepting: StubGateway) -> None:
    """One request, and the address of its result."""
    told = interlock("predict", "m", "--row", '{"size": 1}', "--async")

    assert told.code == 0
    assert f"/predictions/{ID}" in told.out
    assert [each.json for each in accepting.requests] == [{"rows": [{"size": 1}]}]


def test_who_waits_gets_the_answer(accepting: StubGateway) -> None:
    """Also where nobody knows the prediction yet, for its request is on its way."""
    accepting.respond_error(f"GET /predictions/{ID}", 404, "not yet")
    accepting.respond(f"GET /predictions/{ID}", view("completed", answer=ANSWER, ended_at=NOW))

    assert interlock("predict", "m", "--row", "{}", "--async", "--wait", "--json").json == ANSWER


def test_a_failure_is_told_in_its_own_words(accepting: StubGateway) -> None:
    """And the exit code says so too."""
    accepting.respond(f"GET /predictions/{ID}", view("failed", reason="no version of 'm' is promoted", ended_at=NOW))

    ended = interlock("predict", "m", "--row", "{}", "--async", "--wait")

    assert ended.code == 1
    assert "no version of 'm' is promoted" in ended.err
