"""MLflow's API at the gateway: what it refuses by itself has MLflow's form."""

import pytest

from tests.support.gateway_app import NOWHERE, Door, client, opened

API = "/api/2.0/mlflow"


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("POST", "registered-models/create"),
        ("PATCH", "registered-models/update"),
        ("DELETE", "registered-models/delete"),
        ("POST", "registered-models/alias"),
        ("POST", "runs/log-metric"),
        ("GET", "artifacts/list"),
    ],
)
async def test_what_is_not_there_says_what_is(door: Door, method: str, call: str) -> None:
    """Nearly always a call that writes; the message says where that is done."""
    answer = await door.http.request(method, f"{API}/{call}", json={})

    assert answer.status_code in (404, 405)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error_code"] == "FEATURE_DISABLED"
    message = answer.json()["message"]
    assert message.startswith(f"{method} {API}/{call} is not among what the gateway has of MLflow's API")
    assert "interlock retrain" in message


async def test_a_stranger_is_refused_in_mlflows_form(door: Door) -> None:
    """With the header that says how to come in."""
    async with client(str(door.http.base_url), key=None) as stranger:
        answer = await stranger.get(f"{API}/runs/get?run_id=1")

    assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_outage_is_told_in_mlflows_form(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its clients repeat what is temporarily unavailable."""
    async with opened(tmp_path_factory.mktemp("alone"), train_dispatch_url=NOWHERE) as door:
        answer = await door.http.post(f"{API}/runs/search", json={"experiment_ids": ["flights"]})

    assert (answer.status_code, answer.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert answer.headers["retry-after"] == "2"
    assert "train_dispatch does not answer" in answer.json()["message"]
