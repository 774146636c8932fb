"""Findings of reading a file: causes with their tallies, and the error that ends the reading."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from interlock_contracts.datasets import Finding

LINES_SHOWN = 5
EXAMPLES_SHOWN = 3
EXAMPLE_LENGTH = 80
BAD_ROWS_LISTED = 1000


class Cause(NamedTuple):
    """What is wrong with a row or a cell: the rule, the column if it is one column's fault, and why in words."""

    rule: str
    column: str | None
    why: str


@dataclass
class Tally:
    """How often something was met, on which lines first, and what it looked like."""

    count: int = 0
    lines: list[int] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def add(self, count: int, lines: Iterable[int] = (), examples: Iterable[str] = ()) -> None:
        """Count ``count`` more; only the first few lines and distinct examples are kept."""
        self.count += count
        self.lines = sorted({*self.lines, *lines})[:LINES_SHOWN]
        for example in examples:
            shown = shorten(example)
            if shown not in self.examples and len(self.examples) < EXAMPLES_SHOWN:
                self.examples.append(shown)

    def finding(self, cause: Cause) -> Finding:
        """Return the finding of this tally."""
        return Finding(
            rule=cause.rule,
            column=cause.column,
            count=self.count,
            lines=self.lines,
            examples=self.examples,
            message=cause.why,
        )


class Tallies(dict[Cause, Tally]):
    """Tallies by cause; a new cause starts at zero."""

    def __missing__(self, cause: Cause) -> Tally:
        return self.setdefault(cause, Tally())


@dataclass
class Findings:
    """What readers note. ``header`` is about the file's columns, ``missing_columns`` maps to a hint.

    ``bad`` has why rows were set aside, ``odd`` what deserves a warning.
    """

    header: list[Finding] = field(default_factory=list)
    missing_columns: dict[str, str] = field(default_factory=dict)
    extra_columns: list[str] = field(default_factory=list)
    rows: int = 0
    bad_rows: int = 0
    bad: Tallies = field(default_factory=Tallies)
    bad_list: list[dict[str, Any]] = field(default_factory=list)
    odd: Tallies = field(default_factory=Tallies)

    def set_aside(self, cause: Cause, count: int, lines: Sequence[int], examples: Sequence[str]) -> None:
        """Record that ``count`` rows, the first of them on ``lines``, are bad for this cause."""
        self.bad[cause].add(count, lines, examples)
        room = BAD_ROWS_LISTED - len(self.bad_list)
        self.bad_list += [
            {"line": line, "rule": cause.rule, "column": cause.column, "why": cause.why} for line in lines[:room]
        ]


class UnreadableError(Exception):
    """The file cannot be read, or not any further; ``finding`` says why and where."""

    def __init__(self, rule: str, message: str, *, line: int | None = None, examples: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.finding = Finding(
            rule=rule,
            lines=[] if line is None else [line],
            examples=[shorten(example) for example in examples],
            message=message,
        )


def shorten(text: str) -> str:
    """Return the text fit for a message: not too long, and without what JSON or a database refuses."""
    cut = text if len(text) <= EXAMPLE_LENGTH else text[: EXAMPLE_LENGTH - 1] + "…"
    return cut.replace("\0", "\\0").encode(errors="backslashreplace").decode()
