"""Which files go by declaration: never one that a training reads, that a version was made with, or that is new."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from interlock_contracts.retention import Keep
from interlock_ingest.retention import StoredFile, past_retention
from interlock_ingest.store import DatasetRow

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def file(
    number: int, *, days: float = 100, states: Sequence[str] = ("accepted",), role: str = "training"
) -> StoredFile:
    """Return a file whose digest is its number, checked by one spec after the other on each of ``days``."""
    at = NOW - timedelta(days=days)
    rows = [
        DatasetRow(digest=str(number), state=state, role=role, received_number=number, received_at=at, number=number)
        for state in states
    ]
    return StoredFile(rows)


def files_of(made: list[tuple[float, list[str], str]]) -> list[StoredFile]:
    return [
        file(number, days=days, states=states, role=role) for number, (days, states, role) in enumerate(made, start=1)
    ]


states = st.lists(st.sampled_from(["checking", "accepted", "rejected"]), min_size=1, max_size=2)
roles = st.sampled_from(["training", "evaluation"])
stored = st.lists(st.tuples(st.floats(0, 400), states, roles), max_size=25).map(files_of)
keeps = st.builds(Keep, keep_last=st.integers(1, 30), keep_days=st.none() | st.integers(1, 400)) | st.builds(
    Keep, keep_days=st.integers(1, 400)
)
digests = st.integers(1, 25).map(str)


@given(
    files=stored,
    keep=keeps,
    unused=st.frozensets(digests),
    versions=st.dictionaries(digests, st.lists(st.integers(1, 99), min_size=1)),
)
def test_what_is_in_use_never_goes_and_what_goes_is_past_its_retention(
    files: list[StoredFile], keep: Keep, unused: frozenset[str], versions: dict[str, list[int]]
) -> None:
    """And once that has gone, nothing else does: it is safe to repeat."""

    def going(of: list[StoredFile]) -> list[StoredFile]:
        found = past_retention(of, keep, unused=unused, versions=versions, now=NOW)
        return [each for each, kept_because in found if kept_because is None]

    gone = going(files)
    for each in gone:
        digest = each.newest.digest
        assert each.state == "rejected" or (each.state == "accepted" and digest in unused)
        assert digest not in versions
        assert NOW - each.received_at >= timedelta(days=1)
        alike = [one for one in files if (one.state, one.newest.role) == (each.state, each.newest.role)]
        newer = sum(one.order > each.order for one in alike)
        assert keep.keep_last is None or newer >= keep.keep_last
        assert keep.keep_days is None or NOW - each.received_at >= timedelta(days=keep.keep_days)
    assert going([each for each in files if each not in gone]) == []


def told(files: list[StoredFile], keep: Keep, **use: Any) -> dict[str, str | None]:
    use = {"unused": {each.newest.digest for each in files}, "versions": {}} | use
    return {each.newest.digest: why for each, why in past_retention(files, keep, now=NOW, **use)}


def test_what_stays_says_why() -> None:
    """The newest versions that hold it are named."""
    files = [file(number) for number in range(1, 5)] + [file(5, days=0.5)] + [file(number) for number in (6, 7)]
    versions = {"2": [3], "3": list(range(1, 30))}

    assert told(files, Keep(keep_last=1), unused={"1", "2", "3", "5"}, versions=versions) == {
        "1": None,
        "2": "was used for version 3",
        "3": "was used for versions 25, 26, 27, 28, 29",
        "4": "is read by a training, now or by the next one's window, or its model is archived",
        "5": "was received within the last day",
        "6": "is read by a training, now or by the next one's window, or its model is archived",
    }


def test_kinds_of_files_are_counted_apart() -> None:
    """A refused file, or one to judge on, takes no place of a training file; one being checked is none of them."""
    files = [
        *(file(number) for number in (1, 2)),
        *(file(number, states=("rejected",)) for number in (3, 4)),
        *(file(number, role="evaluation") for number in (5, 6)),
        *(file(number, states=("accepted", "checking")) for number in (7, 8)),
    ]
    assert told(files, Keep(keep_last=1)) == {"1": None, "3": None, "5": None}


def test_the_age_of_a_file_is_that_of_its_last_reception() -> None:
    """It came again, under another spec."""
    old, new = file(1, days=400), file(1, days=10, states=("rejected",))
    assert told([StoredFile([*old.rows, *new.rows])], Keep(keep_days=30)) == {}
    assert StoredFile([*old.rows, *new.rows]).state == "accepted"
