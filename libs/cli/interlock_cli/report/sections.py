"""Sections of a report in Markdown, most important first; some with plots for HTML."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from interlock_contracts.manifest import ImportedModel
from interlock_contracts.report import ConfusionMatrix, GainReport

from interlock_cli.options import shown_tags
from interlock_cli.report.facts import Facts
from interlock_cli.report.markdown import escaped, number, sketched, sparkline, table
from interlock_cli.waterfall import elapsed

SLICES = 10
FEATURES = 20
TRIALS = 10
STATES = {
    "champion": "is serving ✓",
    "passed": "passed the gate and awaits approval",
    "refused": "was refused by the gate ✗",
    "retired": "served and was replaced",
    "registered": "awaits the gate",
}


@dataclass(frozen=True)
class Section:
    """A heading and Markdown below it; ``sketch`` stands in for the plots ``plots`` where there is only text.

    A ``folded`` section is opened by whoever wants to know.
    """

    title: str
    text: str = ""
    sketch: str = ""
    plots: tuple[str, ...] = ()
    folded: bool = False


def sections(facts: Facts) -> list[Section]:
    """Return the report; what is not known, such as plots of an older gate, is left out."""
    found = [_verdict(facts), *_imported(facts), *_gain(facts), *_metrics(facts), *_answers(facts), *_importance(facts)]
    return [*found, *_slices(facts), *_search(facts), *_data(facts), _origin(facts)]


def _verdict(facts: Facts) -> Section:
    version, run = facts.version, facts.run
    if version is None:
        reason = (run.reason if run else None) or "no reason given"
        return Section(f"{facts.model}: the run {run.state if run else 'failed'} ✗", escaped(reason))
    lines = []
    checks = facts.gate.checks or []
    if checks:
        lines.append(table(("", "gate checks"), [("✓" if each.passed else "✗", each.text) for each in checks]))
    else:
        lines += [f"- {escaped(reason)}" for reason in version.reasons]
    lines += ["", *(f"- {escaped(note)}" for note in facts.gate.notes)] if facts.gate.notes else []
    if facts.address:
        lines.append(f"\n[Run, trace and events in the console]({facts.address})")
    return Section(
        f"{facts.model} version {version.version} {STATES.get(version.stage, version.stage)}", "\n".join(lines)
    )


def _gain(facts: Facts) -> Iterator[Section]:
    gain, gate = facts.gate.champion, facts.gate
    if gain is None or gain.gain is None:
        return
    text = (
        f"**{number(gain.gain, sign=True)}** {gate.metric} over version {gain.version}"
        f" ({number(gain.candidate)} against {number(gain.champion)})"
    )
    if gain.rows not in (None, gate.rows):
        text += f" on the {gain.rows:,} rows that neither, or both, have trained on"
    if gain.lower is not None and gate.confidence is not None:
        text += f"; with {100 * gate.confidence:.6g}% confidence above **{number(gain.lower, sign=True)}**"
    if gate.min_improvement is not None:
        text += f", required above {number(gate.min_improvement)}"
    drawn = gain.resampled is not None
    sketch = sketched(gain.resampled) if gain.resampled else ""
    yield Section("Gain", text + ".", sketch=sketch, plots=("gain",) if drawn else ())


def _metrics(facts: Facts) -> Iterator[Section]:
    if facts.gate.metrics:
        theirs = facts.gate.champion.metrics if facts.gate.champion else {}
        beside = (_named(facts.gate.champion, facts.gate.rows),) if facts.gate.champion and theirs else ()
        rows = [
            (name, number(value), *((number(theirs.get(name)),) if beside else ()))
            for name, value in facts.gate.metrics.items()
        ]
        if facts.gate.latency_p99_ms is not None:
            rows.append(("p99 latency, one row", f"{facts.gate.latency_p99_ms:.2f} ms", *(("",) if beside else ())))
        yield Section(f"On {facts.gate.rows:,} held-out rows", table(("metric", "value", *beside), rows))


def _named(champion: GainReport, rows: int) -> str:
    """Return the heading of the champion's metrics, with its rows where not all are compared."""
    on = f", on {champion.rows:,} rows" if champion.rows not in (None, rows) else ""
    return f"champion, version {champion.version}{on}"


def _answers(facts: Facts) -> Iterator[Section]:
    plots = facts.gate.plots
    if plots.residuals is not None:
        drawn = ("predicted", "residuals") if plots.predicted else ("residuals",)
        yield Section(
            "Predicted against actual",
            f"Predicted minus actual of {facts.gate.rows:,} rows:",
            sketch=sketched(plots.residuals),
            plots=drawn,
        )
    if plots.confusion is not None:
        yield Section("Confusion", sketch=_matrix(plots.confusion), plots=("confusion",))
    if plots.roc:
        rows = [(curve.label, f"{curve.rows:,}", number(curve.auc)) for curve in plots.roc]
        yield Section("ROC, each label against the others", table(("label", "rows", "area"), rows), plots=("roc",))


def _matrix(matrix: ConfusionMatrix) -> str:
    rows = [(f"**{escaped(label)}**", *counts) for label, counts in zip(matrix.labels, matrix.counts, strict=True)]
    return table(("actual ↓ predicted →", *matrix.labels), rows, plain=False)


def _importance(facts: Facts) -> Iterator[Section]:
    found = facts.gate.importance
    if found is None or not found.features:
        return
    rows = [(each.feature, number(each.mean), f"± {number(each.deviation)}") for each in found.features[:FEATURES]]
    more = len(found.features) - len(rows) + found.omitted
    text = (
        f"How much worse {found.metric} gets with the feature shuffled, in {found.rows:,} held-out rows: mean and "
        f"standard deviation of {found.repeats} shufflings.\n\n"
    )
    text += table(("feature", "mean", "deviation"), rows)
    text += f"\n\n{more} more features are omitted." if more else ""
    yield Section("Permutation importance", text, plots=("importance",), folded=True)


def _slices(facts: Facts) -> Iterator[Section]:
    metric = facts.gate.metric or next(iter(facts.gate.metrics), None)
    for column, found in facts.gate.slices.items():
        if not found or metric is None:
            continue
        compared = any(each.champion for each in found)
        held = facts.gate.confidence is not None and any(each.interval for each in found)
        interval = (f"{facts.gate.confidence:.0%} interval",) if held else ()
        head = (column, "rows", metric, *interval, *(("champion",) if compared else ()))
        rows = [
            (
                each.value,
                f"{each.rows:,}",
                number(each.metrics.get(metric)),
                *((_range(each.interval or ()),) if held else ()),
                *((number((each.champion or {}).get(metric)),) if compared else ()),
            )
            for each in found[:SLICES]
        ]
        more = f"\n\n{len(found) - SLICES} rarer values are omitted." if len(found) > SLICES else ""
        yield Section(f"By {column}", table(head, rows) + more, folded=True)


def _search(facts: Facts) -> Iterator[Section]:
    manifest = facts.manifest
    metric = manifest.metric or "score"
    if manifest.candidates:
        rows = [
            (
                each.candidate,
                number(each.mean),
                _range(each.scores),
                str(each.tuned or "—"),
                f"{each.fit_seconds:.1f} s",
            )
            for each in manifest.candidates
        ]
        head = ("candidate", f"mean {metric}", "over the folds", "tuned", "fit")
        yield Section("Candidates", table(head, rows), folded=True)
    tried = manifest.trials_of_winner
    scored = [each for each in tried if each.score is not None]
    if scored:
        # What was chosen is the best, whichever way the metric counts: next to it come those that are nearest.
        best = sorted(scored, key=lambda each: abs((each.score or 0) - (manifest.score or 0)))[:TRIALS]
        trials = [(str(each.number), number(each.score), each.state, _parameters(each.params)) for each in best]
        trial_table = table(("trial", metric, "state", "parameters"), trials)
        title = f"Search around {manifest.winner}: {len(tried)} trials"
        sketch = f"by trial: {sparkline([each.score or 0 for each in scored])}"
        yield Section(title, trial_table, sketch=sketch, plots=("trials",) if len(scored) > 1 else (), folded=True)


def _data(facts: Facts) -> Iterator[Section]:
    if facts.data is not None and facts.data.warnings:
        rows = [(each.column or "", each.message) for each in facts.data.warnings]
        title = f"Warnings about the newest file, batch {facts.data.batch}"
        yield Section(title, table(("column", "warning"), rows), folded=True)


def _origin(facts: Facts) -> Section:
    manifest, run, version = facts.manifest, facts.run, facts.version
    fitted = manifest.rows and f"{manifest.rows:,} rows, {manifest.features} features, {manifest.folds} folds"
    rows: dict[str, Any] = {
        "run": run.run_id if run else version.run_id if version else None,
        "requested by": run.requested_by if run else None,
        "request reason": run.request_reason if run else None,
        "tags": shown_tags(run.tags) if run else None,
        "outcome reason": run.reason if run else None,
        "attempt": run.attempt if run else None,
        "requested": f"{run.created_at:%Y-%m-%d %H:%M:%S} UTC" if run else None,
        "queue wait": elapsed(run.created_at, run.started_at) if run else None,
        "duration": elapsed(run.started_at, run.ended_at) if run else None,
        "pipeline": version.pipeline_digest[:12] if version else None,
        "datasets": ", ".join(digest[:12] for digest in version.datasets) if version else None,
        "evaluation file": version.evaluation[:12] if version and version.evaluation else None,
        "commit": manifest.commit,
        "winner": manifest.winner,
        "imported from": _source(manifest.imported) if manifest.imported else None,
        "parameters": _parameters(manifest.params) or None,
        "trained on": fitted or None,
        "labels set aside": ", ".join(f"{name} ({rows} rows)" for name, rows in manifest.rare_labels.items()) or None,
        "seed": manifest.seed,
        "seconds": ", ".join(f"{name} {seconds:.1f}" for name, seconds in manifest.timings.items()) or None,
        "trace": run.trace_id if run else None,
        "artifact": version.artifact.sha256 if version else None,
        "packages": ", ".join(f"{name} {which}" for name, which in manifest.packages.items()) or None,
    }
    kept = [(name, value) for name, value in rows.items() if value not in (None, "")]
    return Section("Lineage", table(("", ""), kept), folded=True)


def _imported(facts: Facts) -> Iterator[Section]:
    """Say of a model that was trained elsewhere what the gate cannot know of it."""
    if (found := facts.manifest.imported) is None:
        return
    text = (
        f"This model was not trained here, but imported: {_source(found)}. On which rows it was trained is not known, "
        "so the gate cannot prove that it has not seen the rows that it is judged on."
    )
    left = f" It does not take: {', '.join(found.ignored)}." if found.ignored else ""
    yield Section("Imported model", escaped(text + left))


def _source(found: ImportedModel) -> str:
    told = {
        "MLflow": found.mlflow_version,
        "flavour": found.flavour,
        "class": found.model_class,
        "run": found.run_id,
        "model": found.model_id,
        "saved": found.created,
        "SHA-256 of the upload": found.digest[:12],
    }
    return ", ".join(f"{name} {value}" for name, value in told.items() if value)


def _range(scores: Sequence[float]) -> str:
    return f"{number(min(scores))} … {number(max(scores))}" if scores else "—"


def _parameters(params: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={f'{value:.4g}' if isinstance(value, float) else value}" for name, value in params.items()
    )


def without_plots(section: Section) -> Section:
    """Return a section for where there is only text."""
    return replace(section, text="\n\n".join(part for part in (section.text, section.sketch) if part), plots=())
