"""WebhookSender: who signs them how, where they may go, and how often they are tried."""

from datetime import UTC, datetime
from ipaddress import ip_address
from uuid import UUID

import numpy as np
import pytest
from interlock_contracts.predictions import Webhook
from interlock_modeling.answer import Warned, answer
from interlock_modeling.rows import RowWarning
from interlock_modeling.served import Predictions
from interlock_prediction.domain import (
    WEBHOOK_BACKOFF,
    is_public,
    next_attempt_at,
    origin,
    slice_predictions,
    webhook_secret,
    webhook_signature,
)
from interlock_prediction.store import PredictionRow, WebhookRow
from interlock_prediction.webhooks import WebhookSender
from pydantic import ValidationError

NO_ADDRESSES = ["http://h:99999/", "http://a..b/", "http://" + "a" * 70 + ".example/", "http://[::1/"]
"""They look like addresses, and raise a ValueError somewhere on the way to a socket."""


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification's own libraries verifies."""
    body = b'{"test": 2432232314}'
    signed = webhook_signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body
    )

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_receivers_do_not_share_a_secret() -> None:
    """One that knows its own can forge nothing for another; paths of one origin are one receiver."""
    master = b"m" * 32

    assert webhook_secret(master, "https://a.example/x") == webhook_secret(master, "https://a.example:443/y")
    assert webhook_secret(master, "https://a.example/x") != webhook_secret(master, "https://b.example/x")
    assert webhook_secret(master, "https://a.example/x") != webhook_secret(b"n" * 32, "https://a.example/x")


@pytest.mark.parametrize("url", ["ftp://a.example", "https://", "https://me:pw@a.example", "file:///etc/passwd"])
def test_only_plain_web_addresses_are_told(url: str) -> None:
    """What is anything else, or carries a password, is refused."""
    with pytest.raises(ValueError, match="webhook"):
        origin(url)


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_a_request_with_an_address_that_leads_nowhere_is_refused(url: str) -> None:
    """The fault is found while somebody listens, not when it is time to tell."""
    with pytest.raises(ValidationError, match="url"):
        Webhook(url=url)


@pytest.mark.parametrize("url", NO_ADDRESSES)
async def test_an_address_that_leads_nowhere_is_given_up_at_once(url: str) -> None:
    """One that is stored nevertheless is not tried for ever, before all others and instead of them."""
    prediction_id, now = UUID(int=1), datetime.now(UTC)
    hook = WebhookRow(prediction_id=prediction_id, url=url, state="pending", attempts=1)
    row = PredictionRow(prediction_id=prediction_id, model="m", state="failed", reason="none", ended_at=now)

    await WebhookSender(None, b"m" * 32, private=True)._deliver(hook, row)  # type: ignore[arg-type]

    assert hook.state == "failed"
    assert hook.error


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_a_webhook_goes_to_the_open_internet_only(address: str, public: bool) -> None:
    """Neither to the machine itself nor to its neighbours nor to a cloud's metadata, however it is written."""
    assert is_public(ip_address(address)) is public


def test_a_webhook_is_given_up_in_the_end() -> None:
    """It is tried ever later, and not for ever."""
    now = datetime(2026, 11, 21, tzinfo=UTC)
    tries = [next_attempt_at(attempts, now) for attempts in range(1, len(WEBHOOK_BACKOFF) + 2)]

    assert tries[-1] is None
    waits = [each for each in tries if each is not None]
    assert waits == sorted(waits)


def test_an_answer_among_others_counts_its_own_rows() -> None:
    """Requests answered by one engine call each see only themselves."""
    scores = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])
    labels: list[bool | int | str] = ["b", "a", "a"]
    together = Predictions(labels, scores, [RowWarning(2, "color", "is new")])

    part = slice_predictions(together, 1, 3)
    body = answer("id", "m", 3, ["a", "b"], part.scores.tolist(), part.warnings)

    assert part.values == body.predictions == ["a", "a"]
    assert body.probabilities is not None
    assert body.probabilities[1] == {"a": 1.0, "b": 0.0}
    assert body.warnings == [Warned(1, "color", "is new")]
