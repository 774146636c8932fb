from typing import Any

import numpy as np
import pyarrow as pa
from interlock_modeling.encoder import CategoryColumn, Encoder
from interlock_modeling.signature import ModelSignature
from interlock_trainer.preprocessing import MAX_LEVELS, encoder_of, frame_of, preprocessor_for

from tests.support.training_jobs import pipeline, table

SIGNATURE = ModelSignature.of(pipeline(), table())


def encoder_for(rows: pa.Table) -> Encoder:
    frame = frame_of(SIGNATURE, rows)
    return encoder_of(SIGNATURE, preprocessor_for(SIGNATURE, frame).fit(frame))


def replaced(rows: pa.Table, name: str, cells: Any) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, cells)


def test_the_encoder_does_what_scikit_learn_does_to_the_last_bit() -> None:
    """Rows of the fit, later rows, rows with everything missing and unseen categories are encoded alike."""
    rows = table()
    frame = frame_of(SIGNATURE, rows)
    fitted = preprocessor_for(SIGNATURE, frame).fit(frame)
    odd = pa.table({name: pa.nulls(2, rows.schema.field(name).type) for name in rows.column_names})
    others = pa.concat_tables([rows, table(seed=9), odd, replaced(odd, "color", pa.array(["purple", ""]))])

    encoded = encoder_of(SIGNATURE, fitted).encode_table(others)

    assert encoded.tobytes() == np.asarray(fitted.transform(frame_of(SIGNATURE, others))).tobytes()


def test_missing_is_a_level_where_training_saw_it() -> None:
    """A column that was never missing imputes its most frequent category instead."""
    columns = {column.name: column for column in encoder_for(table()).columns}
    color, shape = columns["color"], columns["shape"]

    assert isinstance(color, CategoryColumn)
    assert isinstance(shape, CategoryColumn)
    assert shape.values == ["round", "square", None]
    assert shape.fill is None
    assert color.values == ["blue", "green", "red"]
    assert color.fill in color.values


def test_columns_without_any_value_and_constant_columns_are_encoded() -> None:
    """Neither divides by zero, and later values still get finite numbers."""
    rows = table()
    empty = replaced(rows, "score", pa.nulls(rows.num_rows, pa.float64()))
    empty = replaced(empty, "open", pa.nulls(rows.num_rows, pa.bool_()))
    empty = replaced(empty, "color", pa.nulls(rows.num_rows, pa.string()))
    constant = replaced(empty, "count", pa.array([7] * rows.num_rows))

    encoder = encoder_for(constant)

    assert np.isfinite(encoder.encode_table(constant)).all()
    assert np.isfinite(encoder.encode_table(table())).all()


def test_only_the_most_frequent_categories_get_a_column() -> None:
    """A column of names does not make a matrix of thousands of columns."""
    rows = table(rows=1_000)
    names = [f"frequent{at}" for at in range(MAX_LEVELS)] * 3 + [f"rare{at}" for at in range(1_000 - 3 * MAX_LEVELS)]

    encoder = encoder_for(replaced(rows, "color", pa.array(names)))

    color = encoder.columns[3]
    assert isinstance(color, CategoryColumn)
    assert set(color.values) == {f"frequent{at}" for at in range(MAX_LEVELS)}
