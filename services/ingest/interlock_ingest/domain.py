"""Pure decision functions: whether a file is accepted, from the counts of its validation, and every reason in words."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from interlock_contracts.data import Column
from interlock_contracts.datasets import Finding
from interlock_contracts.pipeline import Pipeline
from interlock_tables import findings as tables
from interlock_tables.findings import Cause, Tallies, Tally, shorten

MAX_FINDINGS = 100
MANY_VALUES = 1000
NAMES_SHOWN = 5

CHECK_FAILED = "check_failed"
"""Rule of a rejection that is no fault of the file: the validation itself could not be done."""


@dataclass
class Findings(tables.Findings):
    """All that examining a file brought to light, beyond what reading it did.

    ``unreadable`` ended the reading, ``header`` did not. ``broken`` tells which rules the rows break that are not
    set aside. ``checked_rows`` are those that count: neither bad nor without target; ``nulls`` and ``distinct`` are
    about them (the target's nulls stand in ``untargeted``). ``distinct`` stops counting just above what matters.
    """

    unreadable: list[Finding] = field(default_factory=list)
    untargeted: Tally = field(default_factory=Tally)
    checked_rows: int = 0
    broken: Tallies = field(default_factory=Tallies)
    nulls: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    distinct: dict[str, int] = field(default_factory=dict)
    weightless: Tally = field(default_factory=Tally)
    repeated_rows: int = 0
    dropped_rows: int = 0
    repeated_keys: Tally = field(default_factory=Tally)
    train_rows: int = 0
    holdout_rows: int = 0


def decide(pipeline: Pipeline, findings: Findings) -> tuple[list[Finding], list[Finding]]:
    """Return every reason to refuse the file, and the warnings that come either way."""
    refused, warned = _columns_missing(pipeline, findings)
    reasons = [*findings.unreadable, *findings.header, *refused]
    warnings = [*warned, *(tally.finding(cause) for cause, tally in findings.odd.items())]
    if findings.extra_columns:
        into = reasons if pipeline.data.extra_columns == "refuse" else warnings
        into.append(_extra_columns(pipeline, findings))
    if findings.bad_rows:
        allowed = pipeline.data.rules.max_bad_rows
        into = reasons if findings.bad_rows > allowed else warnings
        into += _bad_rows(findings, allowed)
    if findings.rows > findings.bad_rows:
        refused, warned = _without_target(pipeline, findings)
        reasons += refused
        warnings += warned
        reasons += _rules(pipeline, findings)
    if not findings.unreadable:
        no_rows = Finding(rule="no_rows", count=0, message="the file has no data rows")
        reasons += _too_few_rows(pipeline, findings) if findings.rows else [no_rows]
    if findings.repeated_rows:
        warnings.append(_repeated_rows(pipeline, findings))
    return reasons, warnings + _unusual_columns(pipeline, findings)


def decide_sides(pipeline: Pipeline, findings: Findings) -> tuple[list[Finding], list[Finding]]:
    """Return reasons and warnings about the split of a file that keeps all other rules."""
    column, watermark = pipeline.data.holdout_column, pipeline.data.holdout.watermark
    if isinstance(watermark, datetime):
        return [], _one_sided(findings, column, watermark)
    if column is not None and not findings.train_rows:
        why = f"all rows are as new as the newest part by {column!r}, so none is left to train on"
        return [Finding(rule="holdout", column=column, count=findings.holdout_rows, message=why)], []
    empty = [side for side, rows in (("training", findings.train_rows), ("holdout", findings.holdout_rows)) if not rows]
    why = "side of the split got no row; the file is small"
    return [], [Finding(rule="holdout", count=0, message=f"the {side} {why}") for side in empty]


def _one_sided(findings: Findings, column: str | None, watermark: datetime) -> list[Finding]:
    """Say of a file that lies wholly on one side of the pipeline's watermark what follows of it."""
    at = watermark.isoformat().replace("+00:00", "Z")
    if not findings.train_rows:
        why = (
            f"all rows are of {at} or later, the pipeline's watermark, so all are held out and none is trained on; to "
            "train on them, declare a later data.holdout.watermark"
        )
    elif not findings.holdout_rows:
        why = f"all rows are from before {at}, the pipeline's watermark, so all are trained on and none is held out"
    else:
        return []
    return [Finding(rule="holdout", column=column, count=findings.train_rows or findings.holdout_rows, message=why)]


def truncate_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that an event holds; the view over REST has all of them."""
    if len(findings) <= MAX_FINDINGS:
        return list(findings)
    left = len(findings) - MAX_FINDINGS
    return [*findings[:MAX_FINDINGS], Finding(rule="more", count=left, message=f"and {left} more")]


def invalid_object_key(pipeline: str, name: str) -> str | None:
    """Return why an object may not be taken in for a pipeline; None where it lies below ``incoming/<pipeline>/``."""
    prefix = f"incoming/{pipeline}/"
    steps = name.removeprefix(prefix).split("/")
    if not name.startswith(prefix) or not all(steps):
        return f"only keys below {prefix} of the configured bucket are accepted; {shorten(name)!r} is not one"
    if any(step in (".", "..") for step in steps) or "\\" in name or not name.isprintable():
        return f"{shorten(name)!r} is not a plain key: no '.', '..', backslashes or control characters"
    return None


def _columns_missing(pipeline: Pipeline, findings: Findings) -> tuple[list[Finding], list[Finding]]:
    """Return reasons and warnings: an optional column counts as null, unless the file has one that is called alike."""
    reasons: list[Finding] = []
    warnings: list[Finding] = []
    for name, hint in findings.missing_columns.items():
        counts_as_null = pipeline.data.columns[name].optional and not hint
        why = f"declared column {name!r} is not in the file{hint}{'; it counts as null' if counts_as_null else ''}"
        into = warnings if counts_as_null else reasons
        into.append(Finding(rule="missing_column", column=name, message=why))
    return reasons, warnings


def _extra_columns(pipeline: Pipeline, findings: Findings) -> Finding:
    names = findings.extra_columns
    refused = pipeline.data.extra_columns == "refuse"
    are = "is" if len(names) == 1 else "are"
    what = f"{are} not declared, and extra_columns is refuse" if refused else f"{are} not declared, so ignored"
    return Finding(
        rule="extra_columns",
        count=len(names),
        examples=[shorten(name) for name in names[:20]],
        message=f"{'1 column' if len(names) == 1 else f'{len(names)} columns'} of the file {what}: {_listed(names)}",
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(shorten(name) for name in names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"


def _bad_rows(findings: Findings, allowed: int) -> list[Finding]:
    refused = findings.bad_rows > allowed
    rows = "1 row was" if findings.bad_rows == 1 else f"{findings.bad_rows} rows were"
    ending = f"{rows} bad; rules.max_bad_rows allows {allowed}" if refused else f"{rows} set aside"
    return [
        tally.finding(cause._replace(why=f"{cause.why} ({ending})"))
        for cause, tally in sorted(findings.bad.items(), key=lambda item: item[1].lines)
    ]


def _without_target(pipeline: Pipeline, findings: Findings) -> tuple[list[Finding], list[Finding]]:
    count, rows = findings.untargeted.count, findings.rows - findings.bad_rows
    if not count:
        return [], []
    own = pipeline.data.columns[pipeline.target].max_null_fraction
    name, limit = "rules.max_null_target", pipeline.data.rules.max_null_target
    if own is not None and own < limit:
        name, limit = "its max_null_fraction", own
    what = f"{count} of {rows} rows have no {pipeline.target!r}, the target"
    if count / rows > limit:
        cause = Cause("max_null_target", pipeline.target, f"{what}; {name} allows {limit:.4g} of all")
        return [findings.untargeted.finding(cause)], []
    cause = Cause("max_null_target", pipeline.target, f"{what}, and were dropped")
    return [], [findings.untargeted.finding(cause)]


def _rules(pipeline: Pipeline, findings: Findings) -> list[Finding]:
    reasons = [tally.finding(cause) for cause, tally in findings.broken.items()]
    for name, column in pipeline.data.columns.items():
        reasons += _nulls(pipeline, findings, name, column)
        if column.max_cardinality is not None and findings.distinct.get(name, 0) > column.max_cardinality:
            why = f"has more than {column.max_cardinality} distinct values, which max_cardinality allows"
            reasons.append(
                Finding(rule="max_cardinality", column=name, count=findings.distinct[name], message=f"{name!r} {why}")
            )
    weight = pipeline.data.weight_column
    if weight is not None and 0 < findings.checked_rows == findings.weightless.count:
        why = f"{weight!r} is 0 in every row, so there is none to learn from"
        reasons.append(findings.weightless.finding(Cause("weight", weight, why)))
    if findings.repeated_keys.count:
        key = ", ".join(pipeline.data.key or [])
        why = f"rows share the key ({key}) with another row and differ in content; unique_key asks for one row each"
        reasons.append(findings.repeated_keys.finding(Cause("unique_key", None, why)))
    return reasons


def _too_few_rows(pipeline: Pipeline, findings: Findings) -> list[Finding]:
    left, needed = findings.checked_rows - findings.dropped_rows, pipeline.data.rules.min_rows
    if left >= needed:
        return []
    repeats = " and repeats" if findings.dropped_rows else ""
    why = f"{left} rows are left without bad rows, rows without target{repeats}; rules.min_rows asks for {needed}"
    return [Finding(rule="min_rows", count=left, message=why)]


def _nulls(pipeline: Pipeline, findings: Findings, name: str, column: Column) -> list[Finding]:
    """Compare a column's share of nulls with its own limit, else with the rules' default."""
    tally = findings.nulls.get(name)
    if tally is None or not tally.count:
        return []
    limit = pipeline.data.rules.max_null_fraction if column.max_null_fraction is None else column.max_null_fraction
    if tally.count <= limit * findings.checked_rows:
        return []
    share = tally.count / findings.checked_rows
    why = f"{name!r} is missing in {share:.1%} of the rows; max_null_fraction allows {limit:.1%}"
    return [tally.finding(Cause("max_null_fraction", name, why))]


def _repeated_rows(pipeline: Pipeline, findings: Findings) -> Finding:
    repeat = "1 row repeats" if findings.repeated_rows == 1 else f"{findings.repeated_rows} rows repeat"
    if pipeline.data.rules.unique_key:
        why = "unique_key keeps one of each"
    else:
        why = "all are kept, each with its equals on one side of the split; if they are copies, declare a unique_key"
    return Finding(rule="repeated_rows", count=findings.repeated_rows, message=f"{repeat} another row exactly; {why}")


def _unusual_columns(pipeline: Pipeline, findings: Findings) -> list[Finding]:
    """Warn of columns that carry nothing, and of categories with so many values that they look like free text."""
    warnings = []
    unread = {*findings.missing_columns, *(each.column for each in findings.header)}
    for name, distinct in findings.distinct.items():
        if name in unread:
            continue
        column = pipeline.data.columns[name]
        if distinct <= 1 < findings.checked_rows and column.role == "feature":
            why = f"{name!r} has the same value in every row" if distinct else f"{name!r} has no value in any row"
            warnings.append(Finding(rule="constant", column=name, count=distinct, message=why))
        feature = column.type == "category" and name in pipeline.features
        if feature and column.max_cardinality is None and distinct > MANY_VALUES:
            why = f"{name!r} has more than {MANY_VALUES} distinct values; is it free text or an identifier?"
            warnings.append(Finding(rule="many_values", column=name, count=distinct, message=why))
    return warnings
