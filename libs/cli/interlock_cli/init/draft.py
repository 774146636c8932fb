"""The pipeline file of a table, with comments that say why each line is as it is."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from interlock_contracts.data import Csv, Rules

from interlock_cli.init.facts import Facts, describe
from interlock_cli.init.scalars import comment, entry, listed, scalar, shortened
from interlock_cli.init.table import Table
from interlock_cli.init.target import Task

_WIDEST = 32
_REMARKS_AT = 60


class _Line(NamedTuple):
    """A line of the file and what is remarked at its end."""

    text: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Draft:
    """What is known and chosen for one table; ``leaks`` has by column how well it predicts the target."""

    source: str
    model: str
    table: Table
    facts: dict[str, Facts]
    target: Facts
    why_target: str
    task: Task
    why_task: str
    leaks: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str | None:
        """Return the first column that names its row, if there is one."""
        return next((name for name, each in self.facts.items() if each.key and each is not self.target), None)

    @property
    def features(self) -> list[str]:
        """Return the columns to learn from; where none is any good, all that have a type."""
        others = [each for name, each in self.facts.items() if each is not self.target and name != self.key]
        good = [each.name for each in others if each.left_out is None]
        return good or [each.name for each in others if each.kind]

    @property
    def left_out(self) -> dict[str, str]:
        """Return the columns that are not declared, each with why."""
        declared = {self.target.name, self.key, *self.features}
        return {name: each.left_out or "" for name, each in self.facts.items() if name not in declared}

    def text(self) -> str:
        """Return the file."""
        return "\n".join(_aligned(list(block)) for block in (self._head(), self._top(), self._data(), *self._rest()))

    def _head(self) -> Iterator[_Line]:
        rows = f"all {self.table.rows:,} rows were read"
        if not self.table.whole:
            rows = f"the first {self.table.rows:,} rows were read, and later ones may hold more"
        yield _Line(f"# Drafted by `interlock init` from {comment(shortened(self.source))}: {rows}.")
        yield _Line(
            "# Read it, change what you know better; then `interlock apply` it, and `interlock ingest` the file."
        )
        for hint in self.table.hints:
            yield _Line(f"# Mend the file, or allow it by data.rules.max_bad_rows: {comment(hint)}")

    def _top(self) -> Iterator[_Line]:
        yield _Line(f"name: {scalar(self.model)}", "also the model's name")
        yield _Line(f"task: {self.task}", f"the target has {self.why_task}")
        yield _Line(f"target: {scalar(self.target.name)}", self.why_target)

    def _data(self) -> Iterator[_Line]:
        table = self.table
        yield _Line("data:")
        yield _Line(f"  format: {table.format}")
        if table.format == "csv":
            yield _csv(table.csv)
        if self.key is not None:
            why = "it identifies the row: a row of a later file replaces the one with the same key"
            yield _Line(f"  key: {listed([self.key])}", why)
        yield _Line(
            "  columns:", "the features, and the target for its rules; `role: ignore` keeps a column that is none"
        )
        width = min(_WIDEST, max(len(scalar(name)) for name in self.facts) + 1)
        for each in self.facts.values():
            yield self._column(each, width)
        yield from self._rules()
        yield _Line("  holdout: {fraction: 0.2, by: hash}", "rows that no training sees, drawn by a hash")
        times = [name for name, each in self.facts.items() if each.kind == "datetime" and name not in self.left_out]
        for name in times[:1]:
            yield _Line(
                f"  # holdout: {{fraction: 0.2, by: time, column: {comment(scalar(name))}}}",
                "the newest rows instead, if the future is to be predicted; with `role: time` it is no feature",
            )

    def _column(self, facts: Facts, width: int) -> _Line:
        name, fields = facts.name, [f"type: {facts.kind or 'category'}"]
        values = facts.values_to_list(whole=self.table.whole)
        remarks = list(describe(facts, self.table.rows, listed=values is not None))
        if values is not None:
            fields.append(f"values: {listed(values)}")
        if facts.date_format is not None:
            fields.append(f"format: {scalar(facts.date_format)}")
        declared = entry(name, f"{{{', '.join(fields)}}}", width=width)
        if name in self.left_out:
            shown = declared if "\n" not in declared else shortened(declared)
            return _Line(f"    # {comment(shown)}", f"left out: {self.left_out[name]}")
        if facts is self.target:
            remarks.insert(0, "the target")
        elif name == self.key:
            remarks.insert(0, "the key")
        elif facts.left_out is not None:
            remarks.insert(0, f"hardly a feature: {facts.left_out}")
        if name in self.leaks:
            remarks.insert(0, self.leaks[name])
        return _Line(f"    {declared}", "; ".join(remarks))

    def _rules(self) -> Iterator[_Line]:
        share = self.target.nulls / self.table.rows
        if share > Rules().max_null_target:
            most = min(1.0, math.ceil(share * 20) / 20)
            why = f"rows without target are dropped up to this share; {share:.1%} have none"
            yield _Line(f"  rules: {{max_null_target: {most:g}}}", why)
        else:
            yield _Line("  # rules: {min_rows: 100, max_null_fraction: 0.1}", "what a file must satisfy as a whole")

    def _rest(self) -> Iterator[list[_Line]]:
        metric = "r2: {min: 0.6}" if self.task == "regression" else "roc_auc: {min: 0.7}"
        yield [
            _Line("training:"),
            _Line("  trigger: [data, event]", "train on each accepted file, and on request"),
        ]
        yield [
            _Line("# gate:"),
            _Line(f"#   metrics: {{{metric}}}", "what every version has to reach on the held-out rows"),
        ]
        yield [_Line("promotion: automatic", "or approval, by a person")]


def _csv(csv: Csv) -> _Line:
    fields = [f"delimiter: {scalar(csv.delimiter)}"]
    if csv.quote != Csv().quote:
        fields.append(f"quote: {scalar(csv.quote)}")
    if csv.encoding != Csv().encoding:
        fields.append(f"encoding: {csv.encoding}")
    if csv.decimal != Csv().decimal:
        fields.append(f"decimal: {scalar(csv.decimal)}")
    if csv.thousands is not None:
        fields.append(f"thousands: {scalar(csv.thousands)}")
    fields.append(f"null_values: {listed(csv.null_values)}")
    found = ", ".join(repr(word) for word in csv.null_values if word)
    return _Line(f"  csv: {{{', '.join(fields)}}}", f"{found}: a missing value, as the empty cell" if found else "")


def _aligned(lines: list[_Line]) -> str:
    """Return a block of the file, its remarks below each other."""
    widest = max((len(line.text) for line in lines if line.remark and len(line.text) <= _REMARKS_AT), default=0)
    return "".join(
        f"{line.text.ljust(widest)}  # {comment(line.remark)}\n" if line.remark else f"{line.text}\n" for line in lines
    )
