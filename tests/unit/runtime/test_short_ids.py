"""Short ids: which ids a prefix may mean, and the problem where that is none or several."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_runtime.short_ids import COMPARED, SHORTEST, id_range, only_one
from litestar.plugins.problem_details import ProblemDetailsException

RUNS = settings(max_examples=200)
ids = st.uuids(version=None)


@RUNS
@given(ids, ids, st.integers(SHORTEST, 35), st.booleans())
def test_a_beginning_covers_the_ids_that_begin_so_and_no_other(
    whole: UUID, other: UUID, length: int, upper: bool
) -> None:
    """With its dashes or without them, in any case of its digits."""
    text = str(whole)[:length]
    digits = text.replace("-", "")
    for written in (text, digits):
        bounds = id_range(written.upper() if upper else written)
        assert bounds is not None
        least, greatest = bounds

        assert least <= whole <= greatest
        assert (least <= other <= greatest) == other.hex.startswith(digits)


@pytest.mark.parametrize(
    "text", ["", "0b7c0a5", "0b7c0a5-2", "flights-1", "0b7c0a52--", "0b7c0a52%", "0b7c0a52\n", "\u0660" * 8, "0" * 32]
)
def test_what_is_too_short_or_no_beginning_means_nothing(text: str) -> None:
    """Seven digits are easily guessed, and what is whole is no beginning."""
    assert id_range(text) is None


def test_one_is_taken_and_of_several_the_first_are_listed() -> None:
    """So that the caller can name one of them."""
    several = [f"{place:064x}" for place in range(COMPARED)]

    assert only_one(several[:1], "0" * 8, "dataset") == several[0]
    with pytest.raises(ProblemDetailsException) as refused:
        only_one(several, "0" * 8, "dataset")
    assert refused.value.status_code == 409
    assert refused.value.extra == {"errors": [{"id": each} for each in several[:-1]]}
    assert f"{several[-2]}, …; give more digits" in refused.value.detail
    with pytest.raises(ProblemDetailsException) as unknown:
        only_one([], "0" * 8, "dataset")
    assert unknown.value.status_code == 404
