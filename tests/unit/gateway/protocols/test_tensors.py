"""Tensors of the Open Inference Protocol: into columns without loss, and whatever is wrong reported in words."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_contracts.predictions import MAX_ROWS
from interlock_gateway.protocols.outputs import key_output
from interlock_gateway.protocols.rest_body import read
from interlock_gateway.protocols.tensors import NUMERIC, Tensor, TensorError, table_of
from interlock_modeling.signature import Feature, FeatureType, ModelSignature

from tests.support.stored_models import REGRESSION


def signature_of(*types: FeatureType) -> ModelSignature:
    """Return a signature with a nullable column of each type, named as its type."""
    features = [Feature(name=each, type=each, nullable=True) for each in types]
    return REGRESSION.model_copy(update={"features": features})


EVERY_TYPE = signature_of("number", "integer", "boolean", "category", "datetime")


def column(kind: FeatureType, datatype: str, data: Any) -> list[Any]:
    """Return the cells that a tensor becomes."""
    shape = [len(data) if not isinstance(data, memoryview) else len(data) // NUMERIC[datatype].itemsize]
    table = table_of(signature_of(kind), [Tensor(kind, datatype, shape, data)])
    cells: list[Any] = table[kind].to_pylist()
    return cells


def test_whole_numbers_keep_every_digit() -> None:
    """A 64-bit id is not rounded to what a float can hold."""
    large = 2**63 - 1
    raw = memoryview(np.array([large, -large], "<i8").tobytes())

    assert column("integer", "INT64", raw) == [large, -large]
    assert column("integer", "INT64", [large, -large]) == [large, -large]


def test_booleans_come_as_booleans_or_as_zero_and_one() -> None:
    """NaN is missing, any other number is no boolean."""
    assert column("boolean", "BOOL", [True, False, None]) == [True, False, None]
    assert column("boolean", "FP32", memoryview(np.array([0, 1, np.nan], "<f4").tobytes())) == [False, True, None]
    with pytest.raises(TensorError, match="row 1: 2"):
        column("boolean", "BOOL", memoryview(b"\x00\x02"))


def test_datetimes_are_read_as_utc() -> None:
    """With an offset or without, as in our own JSON rows."""
    moment = datetime(2013, 1, 31, 18, 30, tzinfo=UTC)

    assert column("datetime", "BYTES", ["2013-01-31T18:30:00", "2013-01-31T19:30:00+01:00", None]) == [
        moment,
        moment,
        None,
    ]
    with pytest.raises(TensorError, match="ISO 8601"):
        column("datetime", "BYTES", ["yesterday"])


@pytest.mark.parametrize("value", [0.5, 1e300, float("inf")])
def test_a_number_that_is_not_whole_is_no_integer(value: float) -> None:
    """Nothing is rounded in silence."""
    with pytest.raises(TensorError, match="a whole number"):
        column("integer", "FP64", memoryview(np.array([value]).tobytes()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = {
    "name": st.sampled_from(["size", "color", "price", ""]) | JSON,
    "datatype": st.sampled_from([*NUMERIC, "BYTES", "BF16"]) | JSON,
    "shape": st.lists(st.integers(-2, 3), max_size=3) | JSON,
    "data": st.lists(
        st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([None, "red", True]), max_size=3
    )
    | JSON,
    "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-1, 20) | JSON}) | st.none() | JSON,
}
REQUESTS = st.fixed_dictionaries(
    {"inputs": st.lists(st.fixed_dictionaries({}, optional=FIELDS) | JSON, max_size=3) | JSON},
    optional={"id": st.text(max_size=3) | JSON, "parameters": JSON, "outputs": JSON},
)


def attempted(call: Callable[[], pa.Table]) -> pa.Table | str:
    """Return a table, or the words of the refusal."""
    try:
        return call()
    except TensorError as error:
        return error.detail.encode().decode()


@settings(max_examples=300)
@given(head=REQUESTS, tail=st.binary(max_size=40), cut=st.integers(-5, 5) | st.none())
def test_whatever_is_sent_is_answered_or_told_what_is_wrong(head: Any, tail: bytes, cut: int | None) -> None:
    """No request makes the reader or the table fail in any other way than with words."""
    text = json.dumps(head).encode()
    length = None if cut is None else str(len(text) + cut)
    got = attempted(lambda: table_of(REGRESSION, read(text + tail, length).tensors))

    assert got if isinstance(got, str) else 0 < got.num_rows <= MAX_ROWS and np.isfinite(np.asarray(got["size"])).all()


@settings(max_examples=200)
@given(
    shape=st.lists(st.integers(-1, 4), max_size=2),
    kind=st.sampled_from([*NUMERIC, "BYTES"]),
    raw=st.binary(max_size=40),
)
def test_whatever_bytes_come_are_read_or_told_what_is_wrong(shape: list[int], kind: str, raw: bytes) -> None:
    """Raw tensors of every type, of right and wrong lengths, into columns of every type."""
    for feature in EVERY_TYPE.features:
        tensor = Tensor(feature.name, kind, shape, memoryview(raw))
        got = attempted(partial(table_of, EVERY_TYPE, [tensor]))

        assert feature.name in got or "rows; send" in got if isinstance(got, str) else got.num_rows == shape[0]


RAW_TEXTS = memoryview(b"\x03\x00\x00\x00yes\x01\x00\x00\x000")


@pytest.mark.parametrize(
    ("kind", "datatype", "data", "cells"),
    [
        ("boolean", "BYTES", ["yes", "N", "1", None], [True, False, True, None]),
        ("integer", "BYTES", ["3.0", " -7 ", None], [3, -7, None]),
        ("number", "BYTES", [b"1e3"], [1000.0]),
        ("category", "INT64", [94103, None, -(2**63)], ["94103", None, str(-(2**63))]),
        ("category", "UINT8", memoryview(b"\x07\xff"), ["7", "255"]),
        ("category", "BYTES", ["NA", "", "na"], [None, "", "na"]),
        ("number", "BYTES", ["NA", "2"], [None, 2.0]),
        (
            "datetime",
            "BYTES",
            ["1970-01-01T00:00:00.1234567Z", "1970-01-01 00:00:00.123456789"],
            [datetime(1970, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC)] * 2,
        ),
    ],
)
def test_a_cell_is_read_as_in_the_files_of_the_training(
    kind: FeatureType, datatype: str, data: Any, cells: list[Any]
) -> None:
    """Texts as in a CSV, with its words for a missing cell, and whole numbers for categories."""
    signature = signature_of(kind).model_copy(update={"null_values": ["NA"]})
    table = table_of(signature, [Tensor(kind, datatype, [len(cells)], data)])

    assert table[kind].to_pylist() == cells


def test_texts_in_bytes_after_the_json_are_read_alike() -> None:
    """The binary extension is another way to write the same."""
    table = table_of(signature_of("boolean"), [Tensor("boolean", "BYTES", [2], RAW_TEXTS)])

    assert table["boolean"].to_pylist() == [True, False]


@pytest.mark.parametrize(
    ("kind", "datatype", "data", "words"),
    [
        ("boolean", "BYTES", ["ja"], "is not a boolean"),
        ("category", "FP64", [1.0], "expected BYTES"),
        ("category", "INT64", [1.5], "is not a text"),
        ("datetime", "INT64", [1_700_000_000], "BYTES"),
        ("datetime", "BYTES", ["2013-W05-4"], "ISO 8601"),
    ],
)
def test_another_spelling_is_refused_with_its_row(kind: FeatureType, datatype: str, data: Any, words: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(TensorError, match=words):
        column(kind, datatype, data)


def test_a_tensor_that_was_always_there_may_not_be_missing() -> None:
    """Unless its column is optional, or was null in training."""
    features = [Feature(name=name, type="number", nullable=True, optional=name == "may") for name in ("may", "must")]
    signature = REGRESSION.model_copy(update={"features": features})
    given = {name: Tensor(name, "FP64", [1], [1.0]) for name in ("may", "must")}

    assert table_of(signature, [given["must"]])["may"].to_pylist() == [None]
    with pytest.raises(TensorError, match="'must' is missing; it never was in training"):
        table_of(signature, [given["may"]])
    with pytest.raises(TensorError, match="did you mean 'must'"):
        table_of(signature, [given["may"], Tensor("MUST", "FP64", [1], [1.0])])


@pytest.mark.parametrize(
    ("datatype", "data", "back"),
    [
        ("INT32", [3, 4], [3, 4]),
        ("BOOL", [True, False], [True, False]),
        ("FP64", [1.5, None], [1.5, None]),
        ("BYTES", ["Ada", None], ["Ada", ""]),
        ("BYTES", memoryview(b"\x03\0\0\0Ada\0\0\0\0"), ["Ada", ""]),
        ("INT16", memoryview(b"\x03\0\x04\0"), [3, 4]),
    ],
    ids=["integers", "booleans", "numbers", "texts", "raw texts", "raw integers"],
)
def test_a_tensor_of_the_key_comes_back_as_it_was_sent(datatype: str, data: Any, back: list[Any]) -> None:
    """Of its own type; rows are told apart by it, so it has as many as the others."""
    keyed = signature_of("number").model_copy(update={"key": ["who"]})
    number, who = Tensor("number", "FP64", [2], [1.5, 2.5]), Tensor("who", datatype, [2], data)
    output = key_output(who, 2)

    assert table_of(keyed, [number, who]) == table_of(keyed, [number])
    assert (output.name, output.datatype, output.shape) == ("who", datatype, [2])
    assert json.loads(json.dumps(output.plain()).replace("NaN", "null")) == back
    with pytest.raises(TensorError, match="tensor 'who' has 3 rows, others have 2"):
        table_of(keyed, [number, Tensor("who", datatype, [3], [])])
    with pytest.raises(TensorError, match="tensor 'who' is given twice"):
        table_of(keyed, [number, who, who])


@pytest.mark.parametrize(("datatype", "data"), [("INT32", [3, None]), ("INT32", ["a", "b"]), ("TEXT", [1, 2])])
def test_a_tensor_of_the_key_must_hold_what_its_type_says(datatype: str, data: list[Any]) -> None:
    """It would come back as something else."""
    with pytest.raises(TensorError, match="tensor 'who'"):
        key_output(Tensor("who", datatype, [2], data), 2)


def test_tensors_of_ignored_columns_are_left_aside() -> None:
    """Whatever their datatype and shape; they may be missing."""
    ignoring = signature_of("number").model_copy(update={"ignored": ["note"]})
    number = Tensor("number", "FP64", [1], [1.5])

    assert table_of(ignoring, [number, Tensor("note", "BYTES", [3], ["a", "b", "c"])]) == table_of(ignoring, [number])
