"""The decisions in ``docs/decisions``: their front matter, and the table made of it.

Run as ``python -m tests.support.decisions`` it writes ``docs/decisions/README.md``.
Below its title a decision has one paragraph ``Status: … · Date: YYYY-MM · Binds: `path`, …``. Small decisions are
folded into a neighbour, as a section ``## NNNN title`` of its page: they have no page of their own.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "decisions"
INDEX = FOLDER / "README.md"
TITLE = re.compile(r"# (\d{4}) (.+)")
FRONT = re.compile(r"Status: (accepted|superseded by (\d{4})) · Date: (\d{4}-\d{2}) · Binds: (`[^`]+`(?:, `[^`]+`)*)")
FOLDED = re.compile(r"^## (\d{4}) (.+)$", re.MULTILINE)
HEAD = """\
# Decisions

Made from the pages of this folder by `python -m tests.support.decisions`; do not edit.
A decision says what was decided, in which context, what was rejected and when to look at it again.
It binds the files that carry it out: whoever changes one of them reads it first.
To add one: the next free number, a paragraph below the title as the others have it, then `make contracts`.
Terms are those of the [glossary](../glossary.md).

| number | subject | status | date | files it binds |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Decision:
    """One page; ``binds`` are paths from the root, ``folded`` the decisions that are sections of this page."""

    number: str
    subject: str
    path: Path
    status: str
    superseded_by: str | None
    date: str
    binds: tuple[str, ...]
    folded: dict[str, str]


def read(path: Path) -> Decision:
    """Return the decision of one page.

    Raises:
        ValueError: its title or its front matter is missing or not in the form that a tool can read.
    """
    title, front, *_ = [*path.read_text().split("\n\n"), ""]
    heading, matter = TITLE.fullmatch(title), FRONT.fullmatch(" ".join(front.split()))
    if heading is None or matter is None:
        raise ValueError(
            f"{path.name}: a decision begins with '# NNNN title' and 'Status: … · Date: YYYY-MM · Binds: …'"
        )
    number, subject = heading.groups()
    if path.name[:5] != f"{number}-":
        raise ValueError(f"{path.name}: its title has another number, {number}")
    status, superseded_by, date, binds = matter.groups()
    folded = dict(FOLDED.findall(path.read_text()))
    return Decision(number, subject, path, status, superseded_by, date, tuple(re.findall("`([^`]+)`", binds)), folded)


def decisions() -> list[Decision]:
    """Return all decisions that have a page, by number."""
    return [read(path) for path in sorted(FOLDER.glob("[0-9]*.md"))]


def table(found: list[Decision]) -> str:
    """Return the text of ``docs/decisions/README.md``: one row a decision, folded ones included."""
    rows: dict[str, tuple[str, ...]] = {}
    pages = {each.number: each.path.name for each in found}
    for each in found:
        status = f"superseded by {_link(each.superseded_by, pages)}" if each.superseded_by else each.status
        binds = ", ".join(f"[`{_short(path)}`](../../{path})" for path in each.binds)
        rows[each.number] = (_link(each.number, pages), each.subject, status, each.date, binds)
        for number, subject in each.folded.items():
            rows[number] = (number, subject, f"folded into {_link(each.number, pages)}", each.date, "—")
    return HEAD + "".join(f"| {' | '.join(rows[number])} |\n" for number in sorted(rows))


def _link(number: str, pages: dict[str, str]) -> str:
    return f"[{number}]({pages[number]})"


def _short(path: str) -> str:
    """Return the path without what a reader can do without: the package's folder beside its distribution's."""
    return re.sub(r"^(?:libs|services)/\w+/interlock_|^contracts/interlock_", "", path)


def main() -> None:
    text = table(decisions())
    if not INDEX.exists() or INDEX.read_text() != text:
        INDEX.write_text(text)
        sys.stdout.write(f"written: {INDEX.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
