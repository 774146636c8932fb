"""Leaks that are seen in a file, and those that are not there."""

import numpy as np
import pytest

from tests.benchmarks.trust.clean import SHAPES, clean
from tests.benchmarks.trust.leaks import RULES, leaks_of, seen
from tests.benchmarks.trust.planted import planted
from tests.benchmarks.trust.tables import Columns, Made, normal_table, put
from tests.unit.ingest.validation.judging import judge


def test_every_planted_leak_is_seen() -> None:
    """The small form of docs/results/leaks.md."""
    tables = list(planted(np.random.default_rng(11), 300))

    assert len(tables) == 30
    assert [made.name for made in tables if not seen(made, leaks_of(made))] == []


def test_clean_tables_are_seldom_warned_of() -> None:
    """One of each shape; the bar is 5 of 100."""
    tables = list(clean(np.random.default_rng(12), len(SHAPES)))

    assert len([made.name for made in tables if leaks_of(made)]) <= 1


def copied() -> Columns:
    table = normal_table(np.random.default_rng(1), 200)
    return put(table, after=np.exp(table["y"]), n=np.arange(200))


def test_a_finding_says_what_to_do() -> None:
    """Of the column, in the words of the pipeline file."""
    made = Made("", copied())
    found = {each.rule: each for each in judge(made.csv, made.types).result.warnings}

    assert (found["target_copy"].column, found["row_id"].column) == ("after", "n")
    assert "'after' alone tells 100.0% of 'y'" in found["target_copy"].message
    assert all("declare `role: ignore` for it" in found[rule].message for rule in ("target_copy", "row_id"))


def test_what_is_expected_or_no_feature_is_not_warned_of() -> None:
    """A column that somebody has looked at, and one that no model sees."""
    assert leaks_of(Made("", copied())) == ["target_copy after", "row_id n"]
    assert leaks_of(Made("", copied(), declared={"after": {"leak": "expected"}, "n": {"role": "ignore"}})) == []


def test_a_leak_is_refused_where_the_rules_say_so() -> None:
    """With the same words as a reason."""
    made = Made("", copied())
    result = judge(made.csv, made.types, rules={"leak": "refuse"}).result

    assert ([each.rule for each in result.reasons], result.parts) == (["target_copy", "row_id"], None)
    assert not [each for each in result.warnings if each.rule in RULES]


def test_a_name_of_each_row_is_one_finding() -> None:
    """More than a thousand values say less than that each row has one."""
    table = normal_table(np.random.default_rng(5), 1200)
    made = Made("", put(table, name=np.array([f"name {n}" for n in range(1200)])))

    assert [(each.rule, each.column) for each in judge(made.csv, made.types).result.warnings] == [("row_id", "name")]


def test_groups_that_lie_on_one_side_are_no_leak() -> None:
    """The same rows as a planted table of patients, with `group`."""
    patients = next(made for made in planted(np.random.default_rng(2), 600) if made.rules == ("shared_entities",))
    assert leaks_of(patients) == ["shared_entities patient"]

    patients.data = {"group": ["patient"]}
    assert leaks_of(patients) == []


def test_few_rows_say_nothing() -> None:
    """Chance could do it."""
    assert leaks_of(Made("", {name: values[:29] for name, values in copied().items()})) == []


@pytest.mark.parametrize("values", [np.full(100, 3.0), np.full(100, np.nan), np.array([1e308, -1e308] * 50)])
def test_odd_columns_are_searched_too(values: np.ndarray) -> None:
    """Constant, empty and enormous ones."""
    assert leaks_of(Made("", put(normal_table(np.random.default_rng(3), 100), odd=values))) == []


def test_copies_in_a_large_file_are_counted_from_a_sample() -> None:
    """Of 30,000 rows, all of them twice, a third is looked at; the share of the held-out rows is told nevertheless."""
    some = normal_table(np.random.default_rng(4), 15_000)
    made = Made("", put({name: np.tile(each, 2) for name, each in some.items()}, id=np.arange(30_000)))
    made.declared = {"id": {"role": "ignore"}}
    found = [each for each in judge(made.csv, made.types).result.warnings if each.rule == "near_duplicates"]

    assert [each.count for each in found] == [pytest.approx(0.8 * 0.2 * 30_000, rel=0.2)]
