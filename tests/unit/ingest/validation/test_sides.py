"""Group and identity hold rows together on one side of the split."""

from typing import Any

import pytest

from tests.unit.ingest.validation.judging import NUMBERS, judge

KEYED = {"id": {"type": "integer"}, **NUMBERS}


@pytest.mark.parametrize("word", ["group", "identity"])
def test_group_and_identity_decide_the_side_whatever_else_the_columns_are(word: str) -> None:
    """Rows that share them fall on one side, and stay there when a column is added or corrected."""
    rows = [(n % 40, n) for n in range(400)]
    by: dict[str, Any] = {word: "id"}
    narrow = judge("id,x,y\n" + "".join(f"{id_},{x},1\n" for id_, x in rows), KEYED, **by)
    wide = judge(
        "id,x,y,z\n" + "".join(f"{id_},{x + 1},2,{x}\n" for id_, x in rows),
        {**KEYED, "z": {"type": "number"}},
        **by,
    )

    sides = []
    for judged in (narrow, wide):
        assert judged.train is not None
        assert judged.holdout is not None
        sides.append((set(judged.train["id"].to_pylist()), set(judged.holdout["id"].to_pylist())))
    assert sides[0] == sides[1]
    assert not sides[0][0] & sides[0][1]
    assert all(sides[0])


def test_a_group_is_held_together_where_rows_have_a_key() -> None:
    """The key still says what one row is."""
    columns = {**KEYED, "owner": {"type": "integer"}}
    content = "id,x,y,owner\n" + "".join(f"{n},{n},1,{n % 30}\n" for n in range(300))
    judged = judge(content, columns, key="id", group="owner", rules={"unique_key": True})

    assert judged.train is not None
    assert judged.holdout is not None
    assert not set(judged.train["owner"].to_pylist()) & set(judged.holdout["owner"].to_pylist())
