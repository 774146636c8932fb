"""Any bytes, as a CSV, JSON Lines or Parquet file, get a verdict: never an error of the reader's, never a crash."""

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.ingest.validation.judging import judge

COLUMNS: dict[str, Any] = {
    "x": {"type": "number"},
    "n": {"type": "integer"},
    "c": {"type": "category"},
    "b": {"type": "boolean"},
    "t": {"type": "datetime"},
    "y": {"type": "number"},
}
HEAD = b"x,n,c,b,t,y\n"
ROW = b"1.5,2,red,true,2026-01-01T00:00:00Z,3\n"
OBJECT = b'{"x":1.5,"n":2,"c":"red","b":true,"t":"2026-01-01T00:00:00Z","y":3}\n'

cells = st.text(alphabet='0123456789.,;"\n\r\t -+eETZ:nulltruefas\x00\ufeff\u20ac\U0001f600', max_size=12)
tables = st.lists(st.lists(cells, max_size=7).map(",".join), max_size=8).map(lambda rows: "\n".join(rows).encode())
pieces = st.one_of(st.binary(max_size=40), tables, st.just(ROW), st.just(OBJECT), st.just(HEAD))
files = st.lists(pieces, max_size=6).map(b"".join)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Return a sound file with some of its bytes changed, cut or repeated."""
    made = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(made) - 1))
        made[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
        if not made:
            return b""
    return bytes(made)


def parquet() -> bytes:
    from tests.security.test_bombs import parquet as written  # noqa: PLC0415 - makes its bombs when it is imported

    return written({"x": [1.5, 2.5], "n": [1, 2], "c": ["red", None], "b": [True, False], "y": [1.0, 2.0]})


def looked_at(content: bytes, kind: str) -> None:
    """Judge it; ``judge`` itself asserts that there is a verdict, with reasons where it is a refusal."""
    judged = judge(content, COLUMNS, format=kind, rules={"max_bad_rows": 3})
    assert judged.result.reasons or judged.train is not None


def examples(count: int) -> settings:
    """Return the profile: the same cases in every run of CI, others in a long run."""
    return settings(
        max_examples=count,
        derandomize=count < 1000,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


FEW, MANY = examples(120), examples(20_000)


@FEW
@example(b"")
@example(HEAD)
@example(HEAD + ROW)
@example(HEAD + b'"\n')
@example(b"\xef\xbb\xbf" + HEAD + ROW)
@given(files.map(lambda rest: HEAD + rest) | files)
def test_any_bytes_as_csv(content: bytes) -> None:
    """Quotes, line ends, odd characters, rows too short and too long."""
    looked_at(content, "csv")


@FEW
@example(b"[" * 100_000)
@example(b'{"x":1e999,"y":1}')
@example(b'{"x":"\\ud800","c":"\\ud800","y":1}')
@given(files.map(lambda rest: OBJECT + rest) | files)
def test_any_bytes_as_json_lines(content: bytes) -> None:
    """Half characters, endless numbers, nesting, keys twice."""
    looked_at(content, "jsonl")


@FEW
@given(st.deferred(lambda: damaged(parquet())) | st.binary(max_size=60).map(lambda rest: b"PAR1" + rest + b"PAR1"))
def test_any_bytes_as_parquet(content: bytes) -> None:
    """A sound file, damaged: in its pages, in its footer, in the length of its footer."""
    looked_at(content, "parquet")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_any_bytes_for_longer(kind: str) -> None:
    """Twenty thousand other cases of each kind every time, with ``--slow``."""
    content = damaged(parquet()) if kind == "parquet" else files

    @MANY
    @given(content)
    def run(content: bytes) -> None:
        looked_at(content, kind)

    run()
