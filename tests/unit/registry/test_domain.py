"""What follows from a verdict, an approval or a rollback."""

import pytest
from interlock_contracts.filters import VERSION_STAGES
from interlock_registry.domain import Step, after_passing, obstacle_to_deletion, rollback_target


@pytest.mark.parametrize(
    ("stage", "against", "champion", "promotion", "approved", "step"),
    [
        ("registered", None, None, "automatic", False, Step.PROMOTE),
        ("registered", 1, 1, "automatic", False, Step.PROMOTE),
        ("registered", 1, 2, "automatic", False, Step.REQUEST_AGAIN),
        ("registered", None, 1, "automatic", False, Step.REQUEST_AGAIN),
        ("registered", 1, 1, "approval", False, Step.WAIT_FOR_APPROVAL),
        ("passed", 1, 1, "approval", True, Step.PROMOTE),
        ("passed", 1, 2, "approval", True, Step.REQUEST_AGAIN),
        ("champion", 1, 2, "automatic", False, Step.NOTHING),
        ("retired", 1, 1, "automatic", False, Step.NOTHING),
        ("refused", 1, 1, "automatic", True, Step.NOTHING),
    ],
)
def test_a_verdict_counts_only_against_the_champion_that_serves(
    stage: str, against: int | None, champion: int | None, promotion: str, approved: bool, step: Step
) -> None:
    """Promotion is compare-and-set, and a version that has had its turn is left alone."""
    decided = after_passing(stage, measured_against=against, champion=champion, promotion=promotion, approved=approved)
    assert decided is step


def test_a_version_of_an_archived_model_waits_for_a_person() -> None:
    """Whatever the pipeline says of promotions; a verdict out of date is asked for again all the same."""

    def after(champion: int) -> Step:
        return after_passing("registered", measured_against=1, champion=champion, promotion="automatic", archived=True)

    assert (after(1), after(2)) == (Step.WAIT_FOR_APPROVAL, Step.REQUEST_AGAIN)


def test_a_rollback_goes_to_the_version_named_or_the_one_before() -> None:
    """Without a name, the version that served before is meant."""
    assert rollback_target(None, champion=3, previous=2) == 2
    assert rollback_target(1, champion=3, previous=2) == 1


@pytest.mark.parametrize(
    ("asked", "champion", "previous", "told"),
    [(None, None, None, "no version serves yet"), (None, 1, None, "no other version"), (2, 2, 1, "serves already")],
)
def test_a_rollback_to_nowhere_is_refused(
    asked: int | None, champion: int | None, previous: int | None, told: str
) -> None:
    """The refusal says why."""
    with pytest.raises(ValueError, match=told):
        rollback_target(asked, champion=champion, previous=previous)


def test_a_version_may_go_once_nobody_waits_for_it() -> None:
    """Of all stages there are."""
    assert [stage for stage in VERSION_STAGES if obstacle_to_deletion(stage) is None] == ["refused", "retired"]
