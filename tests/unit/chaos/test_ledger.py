"""The verdict on a run of chaos, from hand-written histories."""

from typing import Any
from uuid import uuid4

import pytest
from interlock_contracts.event import Envelope

from tests.chaos.faults import DECK, plan
from tests.chaos.ledger import Asked, Counts, Kind, Ledger

MODEL = "c-rolled"


def envelope(event_type: str, *, cause: str = "nobody", event_id: str | None = None) -> Envelope:
    return Envelope(id=event_id or str(uuid4()), source="/interlock/test", type=event_type, causationid=cause)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(models={MODEL}, promotions={MODEL: (2, 2)})


def asked(ledger: Ledger, kind: Kind, key: str | None, *, acknowledged: bool = True) -> Asked:
    made = ledger.ask(kind, MODEL, key)
    made.acknowledged = acknowledged
    return made


def promoted(ledger: Ledger, seq: int, cause: str) -> None:
    told = {"model": MODEL, "version": 1, "promotion_seq": seq, "cause": "rollback"}
    ledger.record(envelope("model.promoted", cause=cause), told)
    ledger.promotions[MODEL] = (2, max(seq, ledger.promotions[MODEL][1]))


def answered(ledger: Ledger, key: str, *, first: float = 1003.0, event_id: str | None = None) -> None:
    told: dict[str, Any] = {"model": MODEL, "prediction_id": key, "version": 1, "answer": {"predictions": [first]}}
    ledger.record(envelope("prediction.completed", event_id=event_id), told)


def test_what_was_asked_and_happened_once_is_sound(ledger: Ledger) -> None:
    """By whatever way it was asked."""
    asked(ledger, "prediction", "p1")
    asked(ledger, "rollback", "r1")
    asked(ledger, "rollback", f"{MODEL}/4")
    answered(ledger, "p1")
    promoted(ledger, 3, "r1")
    promoted(ledger, 4, "known to the registry alone")

    assert ledger.total() == Counts(acknowledged=3)
    assert ledger.total().sound
    assert not ledger.missing()


def test_acknowledged_without_effect_is_lost(ledger: Ledger) -> None:
    """What was never acknowledged may or may not have happened."""
    asked(ledger, "retrain", "e1")
    asked(ledger, "retrain", "e2", acknowledged=False)
    asked(ledger, "retrain", "e3", acknowledged=False)
    ledger.record(envelope("training.failed", cause="e3"), {"model": MODEL})

    assert ledger.total() == Counts(acknowledged=1, unacknowledged=2, lost=1, recovered=1)
    assert [each.key for each in ledger.missing()] == ["e1"]


def test_an_event_delivered_twice_is_one_effect_and_another_event_is_not(ledger: Ledger) -> None:
    """Events may be delivered twice; they tell of one effect as long as they have one id."""
    asked(ledger, "prediction", "p1")
    answered(ledger, "p1", event_id="same")
    answered(ledger, "p1", event_id="same")
    assert ledger.total().sound
    assert ledger.repeats == 1

    answered(ledger, "p1", event_id="another")
    assert ledger.total().duplicated == 1


def test_a_promotion_that_nobody_heard_of_is_an_effect_twice(ledger: Ledger) -> None:
    """A request handled twice promotes twice and says the same event: only the registry's number tells."""
    asked(ledger, "rollback", "r1")
    promoted(ledger, 3, "r1")
    ledger.promotions[MODEL] = (2, 4)

    assert ledger.total() == Counts(acknowledged=1, duplicated=1)


def test_a_promotion_that_was_lost_on_its_way_out_is_lost(ledger: Ledger) -> None:
    """And not counted as one too many besides."""
    asked(ledger, "rollback", "r1")
    ledger.promotions[MODEL] = (2, 3)

    assert ledger.total() == Counts(acknowledged=1, lost=1)


def test_what_nobody_asked_for_and_what_is_wrong_is_unexpected(ledger: Ledger) -> None:
    """An answer that is not of the version it names is as bad as one that nobody wanted."""
    asked(ledger, "prediction", "p1")
    answered(ledger, "p1", first=2003.0)
    answered(ledger, "p2")

    assert ledger.total().unexpected == 2


def test_a_rollback_whose_answer_got_lost_is_recovered(ledger: Ledger) -> None:
    """Over REST its number is known to nobody; at most as many as were tried may have happened."""
    asked(ledger, "rollback", None, acknowledged=False)
    promoted(ledger, 3, "x")
    assert ledger.total() == Counts(unacknowledged=1, recovered=1)

    promoted(ledger, 4, "y")
    assert ledger.total().unexpected == 1


def test_truths_are_counted_where_they_end_up(ledger: Ledger) -> None:
    """There is no event that tells of one."""
    for number in range(3):
        asked(ledger, "feedback", str(number), acknowledged=number < 2)
    ledger.truths = {MODEL: 1}
    assert ledger.total().lost == 1
    ledger.truths = {MODEL: 3}
    assert ledger.total().recovered == 1
    ledger.truths = {MODEL: 4}
    assert ledger.total().duplicated == 1


def test_a_seed_is_a_plan() -> None:
    """The same faults at the same times; all of them before any comes again."""
    first, again, other = (plan(seed, seconds=600, gap=5) for seed in (1, 1, 2))

    assert first == again != other
    assert {(fault.deed, fault.part) for fault in first[: len(DECK)]} == set(DECK)
    assert len(first) > 100
