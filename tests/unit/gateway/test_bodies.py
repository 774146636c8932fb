"""JSON bodies of clients: what a field that nobody knows is answered, wherever one can stand."""

from typing import Any

import pytest

from tests.support.gateway_app import Door
from tests.support.stored_models import ROW, put_model

ENTRY = {"prediction": "a/0", "actual": 1.0}
DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("predict", {"rows": [ROW], "colour": 1}),
        ("predictions", {"rows": [ROW], "colour": 1}),
        ("predictions", {"rows": [ROW], "webhook": {"url": "https://example.org/", "colour": 1}}),
        ("predictions", {"dataset": DIGEST, "colour": 1}),
        ("predictions", {"dataset": DIGEST, "webhook": {"url": "https://example.org/", "colour": 1}}),
        ("feedback", {"feedback": [ENTRY], "colour": 1}),
        ("feedback", {"feedback": [ENTRY | {"colour": 1}]}),
        ("retrain", {"reason": "new data", "colour": 1}),
    ],
)
async def test_an_unknown_field_is_refused_by_name(door: Door, route: str, body: Any) -> None:
    """Most are misspelt, and nothing that a client wants is silently ignored."""
    door.behind.promote(put_model(door.store, 1), seq=1)
    door.behind.trainable.add("flights")
    await door.serves(1)
    answer = await door.http.post(f"/models/flights/{route}", json=body)

    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "colour" in answer.text
