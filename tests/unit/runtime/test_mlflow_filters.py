"""MLflow's search language, read and turned into conditions."""

import re

import pytest
from interlock_runtime.mlflow_filters import LONGEST, Comparison, Searchable, comparisons
from sqlalchemy import Float, String, column
from sqlalchemy.dialects import postgresql

RUNS = Searchable(
    texts={"run_id": column("run_id", String), "status": column("status", String)},
    numbers={"start_time": column("start_time", Float)},
    groups={
        "metrics": lambda name: column(f"m {name}", Float),
        "params": lambda name: column(f"p {name}", String),
        "tags": lambda name: column(f"t {name}", String),
    },
    order=[column("start_time").desc()],
)

POSSIBLE = "run_id, start_time, status, metrics.<name>, params.<name>, tags.<name>"


def sql(text: str) -> str:
    compiled = [
        each.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[no-untyped-call]
        for each in RUNS.conditions(text)
    ]
    return " and ".join(str(each) for each in compiled)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", []),
        ("  ", []),
        ("metrics.r2 > 0.6", [("metrics", "r2", ">", "0.6")]),
        ("metric.r2>=-1e-3", [("metrics", "r2", ">=", "-1e-3")]),
        ("params.candidate = 'xgboost'", [("params", "candidate", "=", "'xgboost'")]),
        ('parameters.x != "a and b"', [("params", "x", "!=", '"a and b"')]),
        ("tags.mlflow.user = 'ada'", [("tags", "mlflow.user", "=", "'ada'")]),
        ("tags.`a b` like 'x%'", [("tags", "a b", "LIKE", "'x%'")]),
        ("tags.\"a=b\" ILIKE 'x%'", [("tags", "a=b", "ILIKE", "'x%'")]),
        ("attributes.status = 'FINISHED'", [("", "status", "=", "'FINISHED'")]),
        ("run_id not  in ('a', 'b')", [("", "run_id", "NOT IN", "('a', 'b')")]),
        (
            "name = 'x' AND metrics.r2<1 and status='y'",
            [("", "name", "=", "'x'"), ("metrics", "r2", "<", "1"), ("", "status", "=", "'y'")],
        ),
    ],
)
def test_a_filter_is_read(text: str, read: list[tuple[str, str, str, str]]) -> None:
    """Every spelling that MLflow's documentation has."""
    assert comparisons(text) == [Comparison(*each) for each in read]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("metrics.r2", "'metrics.r2'"),
        ("metrics.r2 > 0.6 or metrics.r2 < 0.1", "or metrics.r2"),
        ("metrics.r2 > 0.6 and", "its end"),
        ("name = 'it", "name = "),
        ("name = unquoted", "name = unquoted"),
        ("name IS NULL", "name IS NULL"),
        ("and", "'and'"),
    ],
)
def test_what_cannot_be_read_is_shown(text: str, where: str) -> None:
    """From where on; with an example of what can."""
    with pytest.raises(ValueError, match="it cannot be read at") as caught:
        RUNS.conditions(text)

    assert where in str(caught.value)
    assert "metrics.r2 > 0.6 AND params.candidate = 'xgboost'" in str(caught.value)


def test_a_filter_is_bounded() -> None:
    """Its reading takes time in proportion to its length, whatever is in it."""
    with pytest.raises(ValueError, match=f"at most {LONGEST}"):
        comparisons("x" * (LONGEST + 1))
    for odd in ("x" * LONGEST, "`" * LONGEST, "a = '" * (LONGEST // 5), "(" * LONGEST, "1" * LONGEST):
        with pytest.raises(ValueError, match="cannot be read"):
            comparisons(odd)


def test_conditions_compare_columns() -> None:
    """Numbers as numbers, texts as texts."""
    assert sql("metrics.r2 > 0.6 and metrics.r2 != 1") == '"m r2" > 0.6 and "m r2" != 1.0'
    assert sql("params.candidate = 'it\"s'") == '"p candidate" = \'it"s\''
    assert sql("tags.team LIKE 'a%'") == "\"t team\" LIKE 'a%%' ESCAPE ''"
    assert sql("run_id IN ('a', \"b\")") == "run_id IN ('a', 'b')"
    assert sql("run_id NOT IN ('a')") == "(run_id NOT IN ('a'))"
    assert sql("run.start_time <= 17") == "start_time <= 17.0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 'red'", f"'colour' is nothing that can be searched for; possible are {POSSIBLE}"),
        ("metrics.r2 > 1.2.", "metrics.r2 is compared with a number, not with 1.2."),
        ("metrics.r2 > 'much'", "metrics.r2 is compared with a number, not with 'much'"),
        ("metrics.r2 LIKE '0%'", "metrics.r2 cannot be compared by LIKE; possible are =, !=, >, >=, <, <="),
        ("tags.team > 'a'", "tags.team cannot be compared by >; possible are =, !=, LIKE, ILIKE, IN, NOT IN"),
        ("tags.team = 3", "tags.team is compared with a text in quotes, not with 3"),
        ("run_id IN 'a'", "run_id IN wants texts in parentheses, for instance ('a', 'b')"),
        ("run_id IN (1, 2)", "run_id IN wants texts in parentheses, for instance ('a', 'b')"),
        ("status = ('a')", "status is compared with a text in quotes, not with ('a')"),
        ("tags.team = 'a\0'", "tags.team is compared with a text that holds a NUL character"),
        ("tags.`a\0` = 'a'", "a name holds a NUL character"),
    ],
)
def test_what_is_not_possible_is_refused_with_what_is(text: str, message: str) -> None:
    """The message says what was wrong and what would be right."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        RUNS.conditions(text)


def test_orders() -> None:
    """By attributes, metrics, parameters and tags; what is missing comes last, and ties are broken."""

    def ordered(*order_by: str) -> list[str]:
        return [str(each) for each in RUNS.ordering(order_by)]

    assert ordered() == ["start_time DESC"]
    assert ordered("metrics.r2 DESC", "attributes.status") == [
        '"m r2" DESC NULLS LAST',
        "status ASC NULLS LAST",
        "start_time DESC",
    ]
    assert ordered("tags.`a b` asc")[0] == '"t a b" ASC NULLS LAST'
    with pytest.raises(ValueError, match="'colour' is nothing that can be searched for"):
        ordered("colour DESC")
    with pytest.raises(ValueError, match="there are 21 entries; at most 20"):
        ordered(*["status"] * 21)
