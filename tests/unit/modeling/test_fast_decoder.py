"""The fast path gives what the general path gives, bit for bit, or leaves the request to it."""

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_modeling.encoder import CategoryColumn, Encoder
from interlock_modeling.fast_decoder import FALLBACK_ERRORS, FastRowDecoder
from interlock_modeling.rows import InvalidRowsError
from interlock_modeling.signature import Feature, ModelSignature

from tests.unit.modeling.tables import ENCODER, ROW, signature

DECODER = FastRowDecoder(signature(), ENCODER)

ODD = [
    *("null", "true", "NaN", "Infinity", "-0", "-0.0", "1e999", "1e308", "-1e-320", "9" * 30, "9" * 400, '"4"', "[4]"),
    *("2", "2.0", "2.5", "100", "100.00000000000001", "9007199254740993", "9223372036854775807", "9223372036854775808"),
    *("-9223372036854775808", "-9223372036854775809", "9223372036854774784", '"red"', '"violet"', '"\\ud800"', '""'),
    *('"2013-01-31T18:30:00Z"', '"2013-01-31"', '"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59.9999999-01:00"'),
    *('"1969-12-31T23:59:59.999999"', '"2013-W05-4"', '"2013-01-31T24:00"', '{"a": {"b": [1]}}', "[" * 2000, "\xff"),
    *('"2013-01-31T18:30:00.1234567Z"', '"2013-01-31 18:30:00.123456789+01:00"', '"2013-01-31T18:30"', '"20130131"'),
    *('"2013-01-31T18"', '"2013-01-31T183000"', '"2013-01-31x18:30:00"', '"2013-01-31T18:30:00,5"', '"yes"', '"3.0"'),
    *('"2013-01-31T18:30:00.Z"', '"2013-01-31T18:30:00+01:00:30.5"', '" 2013-01-31 "', "1", "94103"),
]
"""JSON, or what looks like it, for one cell."""

CELLS = st.one_of(
    st.sampled_from(ODD),
    st.floats().map(json.dumps),
    st.integers().map(str),
    st.datetimes().map(lambda at: json.dumps(at.isoformat())),
    st.timezones()
    .flatmap(lambda zone: st.datetimes(timezones=st.just(zone)))
    .map(lambda at: json.dumps(at.isoformat())),
)
NAMES = st.sampled_from([*ROW, *ROW, "extra", "SIZE", "\\u0073ize"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Return a request: ordinary rows, of which a few cells are something else, and some columns come twice."""
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        cells = [(name, json.dumps(value)) for name, value in ROW.items()]
        cells += draw(st.lists(st.tuples(NAMES, CELLS), max_size=2))
        dropped = draw(st.sets(st.integers(0, len(cells) - 1), max_size=1))
        kept = [f'"{name}": {value}' for place, (name, value) in enumerate(cells) if place not in dropped]
        rows.append("{" + ", ".join(kept) + "}")
    return ('{"rows": [' + ", ".join(rows) + "]}").encode("latin-1")


def fast_path(decoder: FastRowDecoder, body: bytes) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    try:
        rows = decoder.rows(body)
        matrix = np.zeros((len(rows), decoder.width))
        decoder.fill(rows, matrix.data.cast("B").cast("d"), 0)
    except FALLBACK_ERRORS:
        return None
    return matrix


@given(requests())
@settings(max_examples=600)
def test_both_ways_agree(body: bytes) -> None:
    """What the fast path accepts, the general path answers with the same bits and without a warning."""
    matrix = fast_path(DECODER, body)
    if matrix is None:
        return

    expected, warnings = ENCODER.encode_rows(signature(), msgspec.json.decode(body)["rows"])
    assert matrix.tobytes() == expected.tobytes()
    assert not warnings


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "size": st.floats(0, 100) | st.integers(0, 100) | st.none(),
                "count": st.integers(-(2**53), 2**53),
                "open": st.booleans() | st.none(),
                "color": st.sampled_from(["red", "green", None]),
                "at": st.datetimes().map(lambda at: at.isoformat()) | st.none(),
            }
        ),
        min_size=1,
        max_size=5,
    )
)
def test_ordinary_rows_take_the_fast_path(rows: list[dict[str, Any]]) -> None:
    """Otherwise the agreement above would be empty, and everything slow."""
    matrix = fast_path(DECODER, json.dumps({"rows": rows}).encode())

    assert matrix is not None
    assert matrix.tobytes() == ENCODER.encode_rows(signature(), rows)[0].tobytes()


@pytest.mark.parametrize(
    "row",
    [
        *(ROW | {"size": 101}, ROW | {"color": "violet"}, ROW | {"extra": 1}, {"size": 1}, ROW | {"count": 2.5}),
        *({"count": 2}, [1], None),
    ],
)
def test_what_deserves_a_word_is_left_to_the_general_path(row: Any) -> None:
    """A warning or an error is lost nowhere."""
    assert fast_path(DECODER, json.dumps({"rows": [row]}).encode()) is None

    try:
        _, warnings = ENCODER.encode_rows(signature(), [row])
    except InvalidRowsError:
        return
    assert warnings


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"rows": 1}', b'{"rows": [], "more": 1}', b'{"rows": []} x'])
def test_what_is_no_request_is_left_to_the_general_path(body: bytes) -> None:
    """Explaining is not the fast path's business."""
    assert fast_path(DECODER, body) is None


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "f1", "rows", "__class__", "a' + x", "ä", "start", ""])
def test_names_of_columns_are_only_data(name: str) -> None:
    """Whatever a column is called, it is read as it should, or the model goes without the fast path."""
    features = [Feature(name=each, type="category", nullable=True) for each in ("f0", name)]
    encoder = Encoder(columns=[CategoryColumn(name=each, values=["x", "y"], fill="y") for each in ("f0", name)])
    of_both = ModelSignature(task="regression", target="y", target_type="number", features=features)
    decoder = FastRowDecoder.of(of_both, encoder)
    if decoder is None:
        assert name in {'a"b', "a\\b", "a\nb"}
        return

    matrix = fast_path(decoder, json.dumps({"rows": [{"f0": "x", name: "x"}, {"f0": None, name: None}]}).encode())
    assert matrix is not None
    assert matrix.tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]]


def test_a_range_on_what_is_no_number_means_no_fast_path() -> None:
    """The general path compares whatever it is; nobody needs that fast."""
    features = [each.model_copy(update={"min": 0.0}) for each in signature().features]

    assert FastRowDecoder.of(signature().model_copy(update={"features": features}), ENCODER) is None


def test_ignored_columns_take_the_fast_path() -> None:
    """With them or without, and whatever they hold."""
    decoder = FastRowDecoder(signature().model_copy(update={"ignored": ["note", "at\u00e4"]}), ENCODER)
    plain = fast_path(DECODER, json.dumps({"rows": [ROW] * 3}).encode())
    rows = [ROW, ROW | {"note": {"a": [1.5, None]}}, ROW | {"at\u00e4": "x", "note": None}]
    matrix = fast_path(decoder, json.dumps({"rows": rows}, ensure_ascii=False).encode())

    assert matrix is not None
    assert plain is not None
    assert matrix.tobytes() == plain.tobytes()


@pytest.mark.parametrize("before", [0, 1, 100])
def test_a_column_twice_is_not_read(before: int) -> None:
    """Short bodies and long ones are counted in two ways; both see one key too many, and none where there is none."""
    rows = [json.dumps(ROW)] * before
    name, value = next(iter(ROW.items()))
    repeated = f"{json.dumps(ROW)[:-1]}, {json.dumps(name)}: {json.dumps(value)}}}"

    assert fast_path(DECODER, f'{{"rows": [{", ".join([*rows, repeated])}]}}'.encode()) is None
    assert fast_path(DECODER, f'{{"rows" : [{", ".join([*rows, repeated])}]}}'.encode()) is None, (
        "one key is not counted"
    )
    assert fast_path(DECODER, f'{{"rows": [{", ".join([*rows, json.dumps(ROW)])}]}}'.encode()) is not None
