import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_modeling.rows import MAX_ERRORS, InvalidRowsError, RowError, read_rows

from tests.unit.modeling.tables import ROW, signature


def errors_of(*rows: Any) -> list[RowError]:
    with pytest.raises(InvalidRowsError) as raised:
        read_rows(signature(), rows)
    return raised.value.errors


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("size", True, "a finite number from 0 to 100 or null"),
        ("size", "big", "a finite number from 0 to 100 or null"),
        ("size", "1,5", "has a decimal comma"),
        ("size", float("nan"), "a finite number"),
        ("size", float("inf"), "a finite number"),
        ("size", 10**400, "too large for a 64-bit float"),
        pytest.param("size", 10**5000, "too large for a 64-bit float", id="5001 digits"),
        ("count", 2.5, "a whole number"),
        ("count", True, "a whole number"),
        ("count", 2**63, "does not fit into 64 bits"),
        ("count", 1e300, "does not fit into 64 bits"),
        ("count", None, "the value is null; expected a whole number"),
        ("open", 2, "true or false or null"),
        ("open", "maybe", "true or false"),
        ("color", 5.5, "a text, one of 'red', 'green', 'blue' or null"),
        ("color", ["red"], "a text"),
        ("at", 1_700_000_000, "an ISO 8601 datetime such as"),
        ("at", "yesterday", "an ISO 8601 datetime such as"),
        ("sizes", 4.0, "did you mean 'size'?"),
        ("q", 4.0, "the model takes size, count, open, color, at"),
        ("y", 4.0, "what the model predicts"),
    ],
)
def test_a_wrong_cell_is_refused_with_row_column_and_what_would_be_right(column: str, value: Any, text: str) -> None:
    """The error names the place and teaches what to send instead."""
    (error,) = errors_of(ROW, ROW | {column: value})

    assert (error.row, error.column) == (1, column)
    assert text in error.message


def test_every_error_of_a_request_is_told_at_once() -> None:
    """A client mends its request in one go."""
    errors = errors_of({**ROW, "count": None, "size": "x", "extra": 1}, 7, {**ROW, "open": "maybe"})

    assert [(error.row, error.column) for error in errors] == [
        (0, "count"),
        (0, "extra"),
        (0, "size"),
        (1, ""),
        (2, "open"),
    ]


def test_a_cell_may_be_spelt_as_in_a_file_of_the_training() -> None:
    """Texts of a CSV, integers for categories, 1 and 0, and the words that meant a missing cell."""
    spelt = {"size": " 4.0", "count": "2.0", "open": "yes", "color": "NA", "at": "2013-01-31T18:30:00.1234567Z"}
    plain = {"size": 4, "count": 2, "open": True, "color": None, "at": "2013-01-31T18:30:00.123456Z"}
    declared = signature().model_copy(update={"null_values": ["NA"]})

    assert read_rows(declared, [spelt, ROW | {"open": 1, "color": 7}])[0] == {
        **(expected := read_rows(declared, [plain, ROW])[0]),
        "color": [None, "7"],
    }
    assert expected["color"] == [None, "red"]
    with pytest.raises(InvalidRowsError, match="the value is null; expected a whole number"):
        read_rows(declared, [ROW | {"count": "NA"}])


def test_a_column_that_was_always_there_may_not_be_missing() -> None:
    """It would be a guess; null says that a value is not known."""
    features = [each.model_copy(update={"optional": False}) for each in signature().features]
    strict = signature().model_copy(update={"features": features})

    with pytest.raises(InvalidRowsError, match="the value is missing; it never was in training: send null"):
        read_rows(strict, [{**ROW, "size": 1} | {}, {name: ROW[name] for name in ROW if name != "size"}])
    assert read_rows(strict, [ROW | {"size": None}])[1] == []


def test_a_column_that_may_be_missing_is_warned_of_once() -> None:
    """However many rows leave it out."""
    _, warnings = read_rows(signature(), [ROW, *[{name: ROW[name] for name in ROW if name != "open"}] * 3])

    assert [(warning.row, warning.column) for warning in warnings] == [(1, "open")]
    assert warnings[0].message == "the column is missing here and in 2 more rows; it counts as null"


@pytest.mark.parametrize("row", [{}, {"Size": 4, "count": 2}, {"size": 1, "COUNT": 2}])
def test_an_empty_row_or_a_misspelt_column_is_no_row_of_nulls(row: dict[str, Any]) -> None:
    """One and the same answer for every row would be the silent result."""
    assert errors_of(row)


def test_the_list_of_errors_stays_short() -> None:
    """A large request of nothing but errors gets a small answer."""
    assert len(errors_of(*[{}] * 5_000)) == MAX_ERRORS


def test_whole_floats_and_large_integers_are_numbers() -> None:
    """JavaScript writes 2 for 2.0 and the other way round."""
    cells, warnings = read_rows(signature(), [ROW | {"size": 4, "count": 2.0}])

    assert (cells["size"], cells["count"], warnings) == ([4.0], [2.0], [])


def test_a_number_outside_of_its_declared_range_is_a_warning() -> None:
    """Ranges are rules for training data; a prediction is answered and marked."""
    _, warnings = read_rows(signature(), [ROW, ROW | {"size": 101}])

    assert [(warning.row, warning.column) for warning in warnings] == [(1, "size")]
    assert "from 0 to 100" in warnings[0].message


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(anything | st.dictionaries(st.sampled_from([*ROW, "y"]), anything), max_size=4))
def test_whatever_is_sent_is_read_or_refused(rows: list[Any]) -> None:
    """No JSON value brings the reader down, and every error can be sent as JSON."""
    try:
        read_rows(signature(), rows)
    except InvalidRowsError as refused:
        json.dumps([error.message for error in refused.errors]).encode()


def test_ignored_columns_may_hold_anything() -> None:
    """No feature is read from them, so nobody minds what they hold or whether they are there."""
    aside = signature().model_copy(update={"ignored": ["note"]})

    assert read_rows(aside, [ROW | {"note": {"a": [1]}}, ROW]) == read_rows(aside, [ROW, ROW])
