"""Which versions go by declaration: never one that serves, that waits, or that a rollback goes back to."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from interlock_contracts.filters import VERSION_STAGES
from interlock_contracts.retention import Keep
from interlock_registry.domain import past_retention

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@dataclass
class Version:
    version: int
    stage: str
    registered_at: datetime


ages = st.integers(0, 400).map(lambda days: NOW - timedelta(days=days))
histories = st.lists(st.tuples(st.sampled_from(VERSION_STAGES), ages), max_size=30).map(
    lambda made: [Version(number, stage, at) for number, (stage, at) in enumerate(made, start=1)]
)
keeps = st.builds(Keep, keep_last=st.integers(1, 40), keep_days=st.none() | st.integers(1, 400)) | st.builds(
    Keep, keep_days=st.integers(1, 400)
)


@given(versions=histories, keep=keeps, previous=st.none() | st.integers(1, 30), shuffled=st.randoms())
def test_what_is_in_use_never_goes_and_what_goes_is_past_its_retention(
    versions: list[Version], keep: Keep, previous: int | None, shuffled: Random
) -> None:
    """And once that has gone, nothing else does: it is safe to repeat, in whatever order versions are listed."""
    listed = list(versions)
    shuffled.shuffle(listed)
    found = list(past_retention(listed, keep, champions={}, rolls_back={previous}, now=NOW))
    going = [each for each, kept_because in found if kept_because is None]

    for each in going:
        assert each.stage in ("refused", "retired")
        assert each.version != previous
        assert keep.keep_last is None or each.version <= len(versions) - keep.keep_last
        assert keep.keep_days is None or NOW - each.registered_at >= timedelta(days=keep.keep_days)
    left = [each for each in versions if each not in going]
    assert not [
        each for each, why in past_retention(left, keep, champions={}, rolls_back={previous}, now=NOW) if why is None
    ]


def test_what_is_past_its_retention_goes_oldest_first_or_says_why_it_stays() -> None:
    """Also the champion counts among the last that are kept."""
    stages = ["retired", "champion", "refused", "passed", "registered", "retired", "refused", "refused"]
    versions = [Version(number, stage, NOW) for number, stage in enumerate(stages, start=1)]
    found = past_retention(versions, Keep(keep_last=2), champions={}, rolls_back={6}, now=NOW)

    assert [(each.version, why) for each, why in found] == [
        (1, None),
        (2, "serves; roll back or promote another version first"),
        (3, None),
        (4, "has passed the gate and waits for an approval"),
        (5, "is being measured by the gate; delete it once there is a verdict"),
        (6, "is the one that a rollback goes back to"),
    ]
