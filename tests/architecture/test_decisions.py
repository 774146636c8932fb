"""Decisions can be read by a tool, bind files that are there, and are referred to by numbers that are pages."""

import re
from pathlib import Path

import pytest

from tests.support.decisions import FOLDER, INDEX, ROOT, Decision, decisions, read, table

TEXTS = (
    "*.md",
    "docs/**/*.md",
    *(f"{top}/**/*.{end}" for top in ("contracts", "libs", "services", "tests") for end in ("py", "md", "js")),
)
MENTION = re.compile(r"decisions/(\d{4})-|\]\((\d{4})-[\w-]+\.md|[Dd]ecisions? \[?(\d{4})\b")


def mentions() -> list[tuple[str, str]]:
    """Return every mention of a decision by number, with the file that it is in."""
    pages = {path for pattern in TEXTS for path in ROOT.glob(pattern)} - {INDEX, Path(__file__)}
    return [
        (str(path.relative_to(ROOT)), next(filter(None, groups)))
        for path in sorted(pages)
        for groups in MENTION.findall(path.read_text())
    ]


def test_the_table_is_what_the_generator_makes() -> None:
    """`python -m tests.support.decisions`, as `make contracts` runs it, writes the table."""
    assert INDEX.read_text() == table(decisions())


@pytest.mark.parametrize("decision", decisions(), ids=lambda each: each.number)
def test_every_decision_binds_files_that_are_there(decision: Decision) -> None:
    """Whoever moves a file finds the decision that spoke of it."""
    assert not [path for path in decision.binds if not (ROOT / path).exists()]


def test_a_number_is_one_decision() -> None:
    """Either it has a page, or it is a section of one other; what is superseded names a page."""
    found = decisions()
    numbers = [number for each in found for number in (each.number, *each.folded)]

    assert len(numbers) == len(set(numbers))
    assert {each.superseded_by for each in found if each.superseded_by} <= {each.number for each in found}


def test_nobody_refers_to_a_decision_without_a_page() -> None:
    """A folded number is history: links and comments name the page that has its text."""
    pages = {each.number for each in decisions()}
    found = mentions()

    assert found
    assert not [(path, number) for path, number in found if number not in pages]


@pytest.mark.parametrize(
    "front",
    [
        "Date: 2026-11 · Binds: `a.py`",
        "Status: accepted · Binds: `a.py`",
        "Status: accepted · Date: 2026-11",
        "Status: accepted · Date: lately · Binds: `a.py`",
        "Status: perhaps · Date: 2026-11 · Binds: `a.py`",
    ],
)
def test_a_decision_without_status_date_or_files_is_refused(front: str, tmp_path: Path) -> None:
    """The message names the page and the form."""
    page = tmp_path / "0999-one.md"
    page.write_text(f"# 0999 One\n\n{front}\n\n**Decision.** Something.\n")

    with pytest.raises(ValueError, match=r"0999-one\.md"):
        read(page)


def test_a_superseded_and_a_folded_decision_are_rows_that_lead_on(tmp_path: Path) -> None:
    """The table names the page that holds today."""
    old, new = tmp_path / "0001-old.md", tmp_path / "0003-new.md"
    old.write_text("# 0001 Old\n\nStatus: superseded by 0003 · Date: 2026-11 · Binds: `a.py`\n\n**Decision.** Was.\n")
    new.write_text(
        "# 0003 New\n\nStatus: accepted · Date: 2026-12 · Binds: `libs/x/interlock_x/b`,\n`c`\n\n**Decision.** Is.\n\n"
        "## 0002 Small\n\n**Decision.** Is, too.\n"
    )

    rows = table([read(old), read(new)]).splitlines()[-3:]

    assert rows == [
        "| [0001](0001-old.md) | Old | superseded by [0003](0003-new.md) | 2026-11 | [`a.py`](../../a.py) |",
        "| 0002 | Small | folded into [0003](0003-new.md) | 2026-12 | — |",
        "| [0003](0003-new.md) | New | accepted | 2026-12 | [`x/b`](../../libs/x/interlock_x/b), [`c`](../../c) |",
    ]


def test_every_page_of_the_folder_is_a_decision() -> None:
    """A page that no row leads to is not found."""
    assert {path for path in FOLDER.iterdir() if path != INDEX} == {each.path for each in decisions()}
