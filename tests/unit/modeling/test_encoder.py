import json
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_modeling.encoder import CategoryColumn, Encoder

from tests.unit.modeling.tables import ENCODER, ROW, signature, table

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=4) | st.sampled_from(
    ["red", "green", "blue"]
)
rows = st.fixed_dictionaries(
    {"count": st.integers(-(2**63), 2**63 - 1)},
    optional={
        "size": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
        "open": st.none() | st.booleans(),
        "color": st.none() | texts,
        "at": st.none() | st.datetimes().map(lambda moment: moment.isoformat()),
    },
)


@given(st.lists(rows, min_size=1, max_size=8))
def test_json_rows_and_tables_encode_alike(given_rows: list[dict[str, Any]]) -> None:
    """The gate measures tables and the gateway answers rows: both must see bit-equal numbers."""
    from_rows, _ = ENCODER.encode_rows(signature(), json.loads(json.dumps(given_rows)))

    from_table = ENCODER.encode_table(table(given_rows))

    assert from_rows.tobytes() == from_table.tobytes()


def test_every_kind_of_column_is_encoded_as_documented() -> None:
    """Numbers are scaled, booleans are 0 or 1, categories one-hot, datetimes days, month, weekday and hour in UTC."""
    matrix, warnings = ENCODER.encode_rows(signature(), [ROW])

    named = dict(zip(ENCODER.names, matrix[0].tolist(), strict=True))
    assert not warnings
    assert named == {
        "size": (4.0 - 2.25) / 0.3,
        "count": (2.0 - 1e6) / 7.0,
        "open": 1.0,
        "color=green": 0.0,
        "color=red": 1.0,
        "at.days": (15_736 + 18.5 / 24 - 15_000.0) / 20.0,
        "at.month": 1.0,
        "at.weekday": 3.0,
        "at.hour": 18.5,
    }


def test_missing_cells_are_imputed() -> None:
    """A missing cell, a null and a table's NaN all count as the column's fill value."""
    missing, _ = ENCODER.encode_rows(signature(), [{"count": 2}])
    null, _ = ENCODER.encode_rows(signature(), [dict.fromkeys(ROW) | {"count": 2}])
    nan = ENCODER.encode_table(table([{"count": 2, "size": float("nan")}]))
    filled, _ = ENCODER.encode_rows(signature(), [ROW | {"size": 3.5}])

    assert missing.tolist() == null.tolist() == nan.tolist()
    assert missing[0, :5].tolist() == filled[0, :5].tolist()
    assert missing[0, 5:].tolist() == [0.0, 1.0, 1.0, 1.0]


def test_a_missing_category_may_be_a_level_of_its_own() -> None:
    """Where training saw missing cells, missing is a category like the others."""
    column = CategoryColumn(name="color", values=["red", None], fill=None)
    encoder = Encoder(columns=[column])

    assert encoder.encode_table(table([{"color": "red"}, {}, {"color": "blue"}])).tolist() == [[1, 0], [0, 1], [0, 0]]


def test_an_unknown_category_is_all_zeros_and_named() -> None:
    """An answer is still given, and says what the model did not know: training may have seen it, but too rarely."""
    matrix, warnings = ENCODER.encode_rows(signature(), [ROW, ROW | {"color": "blue"}])

    assert matrix[1, 3:5].tolist() == [0.0, 0.0]
    assert [(warning.row, warning.column) for warning in warnings] == [(1, "color")]
    assert warnings[0].message == "category 'blue' is not among the 2 that the model knows; it counts as none"


def test_dictionary_columns_and_other_zones_encode_like_plain_ones() -> None:
    """A table's storage details don't change its numbers."""
    plain = table([ROW, {"count": 1}, ROW | {"color": "green"}])
    stored = plain.set_column(
        plain.column_names.index("color"), "color", plain.column("color").dictionary_encode()
    ).set_column(plain.column_names.index("at"), "at", plain.column("at").cast(pa.timestamp("ms", "America/New_York")))

    assert ENCODER.encode_table(stored).tobytes() == ENCODER.encode_table(plain).tobytes()


def test_an_offset_is_taken_into_account() -> None:
    """The same moment is the same number, whatever zone it is written in."""
    matrix, _ = ENCODER.encode_rows(signature(), [ROW, ROW | {"at": "2013-01-31T13:30:00-05:00"}])

    assert matrix[0].tolist() == matrix[1].tolist()
    assert timedelta(hours=matrix[0, -1]) == timedelta(hours=18, minutes=30)


def test_an_encoder_survives_json_exactly() -> None:
    """Every float comes back bit for bit."""
    read = Encoder.model_validate_json(ENCODER.model_dump_json())

    assert read == ENCODER
    assert read.encode_table(table([ROW])).tobytes() == ENCODER.encode_table(table([ROW])).tobytes()


def test_a_table_without_a_column_is_refused() -> None:
    """A missing column is named, not imputed."""
    with pytest.raises(ValueError, match="no column 'color'"):
        ENCODER.encode_table(table([ROW]).drop_columns(["color"]))


def test_no_rows_give_an_empty_matrix() -> None:
    """An empty batch is a batch."""
    assert ENCODER.encode_table(table([])).shape == (0, len(ENCODER.names))
    assert ENCODER.encode_rows(signature(), [])[0].shape == (0, len(ENCODER.names))
    assert np.float64 == ENCODER.encode_table(table([])).dtype
