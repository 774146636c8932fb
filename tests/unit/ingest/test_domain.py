from __future__ import annotations

import pytest
from interlock_contracts.datasets import Finding
from interlock_ingest.domain import Findings, invalid_object_key, truncate_findings
from interlock_tables.findings import Cause, Tally, shorten


@pytest.mark.parametrize("name", ["a.csv", "2026/01/a.csv", "with space.csv", "ä.csv"])
def test_objects_below_incoming_are_taken(name: str) -> None:
    """In folders of the user's own making too."""
    assert invalid_object_key("m", f"incoming/m/{name}") is None


@pytest.mark.parametrize(
    "name",
    [
        "incoming/other/a",
        "incoming/m",
        "incoming/m/",
        "incoming/m//a",
        "incoming/m/./a",
        "incoming/m/../other/a",
        "incoming/m/a\\b",
        "incoming/m/a\0",
        "/incoming/m/a",
        "https://host/incoming/m/a",
        "sha256/aa/aaaa",
        "",
    ],
)
def test_anything_else_is_not(name: str) -> None:
    """No other prefix, no way up, no address."""
    assert invalid_object_key("m", name) is not None


def test_a_tally_keeps_the_first_lines_and_distinct_examples() -> None:
    """A message stays readable however often a rule is broken."""
    tally = Tally()
    tally.add(3, [9, 8, 7], ["b", "a", "b"])
    tally.add(4, [1, 2, 3, 4], ["c", "d"])

    assert tally == Tally(count=7, lines=[1, 2, 3, 4, 7], examples=["b", "a", "c"])


def test_bad_rows_are_listed_up_to_a_limit() -> None:
    """A file of a million bad rows does not make a list of a million."""
    findings = Findings()
    findings.set_aside(Cause("type", "x", "why"), 5000, list(range(5000)), [])

    assert len(findings.bad_list) == 1000
    assert findings.bad[Cause("type", "x", "why")].count == 5000


def test_an_event_tells_the_first_hundred_reasons() -> None:
    """An event stays small; the rest stands in the result."""
    many = [Finding(rule="type", message=str(number)) for number in range(250)]

    assert [finding.message for finding in truncate_findings(many)[-2:]] == ["99", "and 150 more"]
    assert truncate_findings(many[:100]) == many[:100]


def test_what_is_shown_fits_json_and_database() -> None:
    """No NUL, no half surrogate, no novel."""
    assert shorten("a\0b\ud800") == "a\\0b\\ud800"
    assert len(shorten("x" * 1000)) == 80
