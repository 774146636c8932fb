"""Keys that stand twice in a JSON object: found wherever they stand, by key and path, and nothing else is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_contracts import render
from interlock_contracts.catalog import BY_TYPE
from interlock_contracts.json_keys import RepeatedKeyError, keys_in, refuse_repeated_keys

RUNS = settings(max_examples=200)
EXAMPLES = sorted((Path(render.ROOT) / "contracts" / "examples").glob("*/*.json"))

texts = st.text(st.sampled_from('ab:" \\\n.é'), max_size=6)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
)
separators = st.sampled_from([(",", ":"), (", ", ": "), (",", " : "), (",\n", "\t:\n")])


@RUNS
@given(documents, separators, st.booleans())
def test_no_document_with_each_key_once_is_refused(document: Any, separator: Any, ascii_only: bool) -> None:
    """However it is written, and whatever its texts look like."""
    body = json.dumps(document, separators=separator, ensure_ascii=ascii_only).encode()

    refuse_repeated_keys(body, keys_in(json.loads(body)))
    refuse_repeated_keys(body, 0)


@RUNS
@given(st.dictionaries(texts, documents, min_size=1, max_size=4), documents, documents, separators, st.data())
def test_a_key_that_is_twice_is_found_at_any_depth(
    repeated: dict[str, Any], more: Any, beside: Any, separator: Any, data: st.DataObject
) -> None:
    """With the key and the path to it; also where it is written another way."""
    key = data.draw(st.sampled_from(sorted(repeated)))
    spelled = data.draw(st.sampled_from([json.dumps(key), '"' + "".join(f"\\u{ord(each):04x}" for each in key) + '"']))
    whole = json.dumps({"first": beside, "rows": [more, {"in it": 0}]}, separators=separator)
    inner = json.dumps(repeated, separators=separator)
    body = whole.replace(json.dumps({"in it": 0}, separators=separator), f"{inner[:-1]},{spelled}{separator[1]}1}}")

    with pytest.raises(RepeatedKeyError) as refused:
        refuse_repeated_keys(body.encode(), keys_in(json.loads(body)))
    assert str(refused.value).startswith(f"{key!r} is there twice in one object (at rows.1.{key})")


def test_the_first_key_that_is_twice_is_named() -> None:
    """In the order of the document, the envelope before what is in it."""
    for body, told in (
        (b'{"a": {"b": 1, "b": 2}, "c": 1, "c": 1}', "'c' is there twice in one object;"),
        (b'{"a": [{"b": {}}, {"b": 1, "b": 2}], "c": {"d": 1, "d": 1}}', "'b' is there twice in one object (at a.1.b)"),
        (b'\xef\xbb\xbf[{"a": NaN, "a": ' + b"1" * 5000 + b"}]", "'a' is there twice in one object (at 0.a)"),
    ):
        with pytest.raises(RepeatedKeyError) as refused:
            refuse_repeated_keys(body, 1)
        assert str(refused.value).startswith(told)


@pytest.mark.parametrize("data", [[], [0.5] * 1000], ids=["short", "long"])
@pytest.mark.parametrize("more", ["", ', "a": 1', ', "b": "x:y"', ', "b" : 1', ', "b": 1, "b": 2'])
@pytest.mark.parametrize("off", [0, -1])
def test_few_keys_are_counted_alike_in_few_bytes_and_in_many(data: list[float], more: str, off: int) -> None:
    """What is counted another way in a long body; also where a reader has counted too few."""
    body = f'{{"a": {data}{more}}}'.encode()
    count = len(json.loads(body)) + off

    if more.count('"a":') or more.count('"b":') > 1:
        with pytest.raises(RepeatedKeyError):
            refuse_repeated_keys(body, count)
    else:
        refuse_repeated_keys(body, count)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_keys_of_an_event_are_counted_as_they_were_written(path: Path) -> None:
    """Its fields are counted where they were read; an event that counted for more would hide a key that is twice."""
    event = BY_TYPE[path.parent.name].event.model_validate(json.loads(path.read_text())["body"])
    body = event.body()

    assert keys_in(type(event).model_validate_json(body)) == keys_in(json.loads(body))
