"""Publisher identity: which user a consumer takes for the publisher, and what it may publish."""

import pytest
from interlock_contracts.permissions import may_publish
from interlock_messaging.publisher_identity import PUBLISHED_BY, check, published_by
from interlock_messaging.topology import readers

GATEWAY, REGISTRY, DISPATCH = "interlock_gateway", "interlock_registry", "interlock_train_dispatch"


@pytest.mark.parametrize(
    ("user", "headers", "speaker"),
    [
        (GATEWAY, {}, GATEWAY),
        (GATEWAY, {PUBLISHED_BY: REGISTRY}, GATEWAY),
        (None, {PUBLISHED_BY: REGISTRY}, None),
        (DISPATCH, {PUBLISHED_BY: REGISTRY}, REGISTRY),
        (DISPATCH, {PUBLISHED_BY: ""}, ""),
        (DISPATCH, {}, DISPATCH),
        (REGISTRY, {PUBLISHED_BY: GATEWAY}, GATEWAY),
    ],
)
def test_a_copy_keeps_its_publisher_and_no_other_user_may_name_one(
    user: str | None, headers: dict[str, str], speaker: str | None
) -> None:
    """The service's own retries and the registry's replays name the first publisher; claims of others are ignored."""
    assert published_by(user, headers, "train_dispatch") == speaker


def test_a_copy_in_a_queue_that_was_taken_over_is_trusted_from_both_readers() -> None:
    """The service of the last release gave it to itself, or the one of today; no other may."""
    reading = readers("prediction.feedback.received")

    for service in ("prediction", "monitor"):
        assert published_by(f"interlock_{service}", {PUBLISHED_BY: GATEWAY}, *reading) == GATEWAY
    assert published_by(DISPATCH, {PUBLISHED_BY: GATEWAY}, *reading) == DISPATCH
    assert published_by("interlock_monitor", {PUBLISHED_BY: GATEWAY}, *readers("prediction.prediction.requested")) == (
        "interlock_monitor"
    )


def test_an_event_of_an_unknown_publisher_is_refused_unless_it_is_external() -> None:
    """People may ask for a training without a name; a promotion without one is none."""
    check(None, "retrain.requested")
    with pytest.raises(ValueError, match=r"an unknown publisher is not permitted to publish model\.promoted"):
        check(None, "model.promoted")
    with pytest.raises(ValueError, match="interlock_gateway"):
        check(GATEWAY, "model.promoted")


def test_who_may_promote() -> None:
    """The registry alone may publish promotions, the gate alone its verdicts."""
    everyone = [*(f"interlock_{name}" for name in ("ingest", "prediction", "operator")), GATEWAY, REGISTRY, DISPATCH]
    assert [user for user in everyone if may_publish(user, "model.promoted")] == [REGISTRY]
    assert not [user for user in everyone if may_publish(user, "evaluation.passed")]
    assert may_publish("interlock_evaluation_gate", "evaluation.passed")
