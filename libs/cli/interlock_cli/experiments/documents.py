"""The files of an experiment, made of what the gateway knows of its run."""

import json
from typing import Any

from interlock_contracts.http import RunView
from interlock_contracts.pipeline import Pipeline

from interlock_cli.experiments.record import FOLDER, METRICS, PARAMETERS, RECORD, Experiment, Verdict
from interlock_cli.git_repository import GitRepository
from interlock_cli.pipelines import as_file
from interlock_cli.report.facts import Facts
from interlock_cli.report.pages import markdown
from interlock_cli.report.sections import sections
from interlock_cli.terminal import CommandError, plain

STAGES: dict[str, Verdict] = {
    "passed": "passed",
    "champion": "passed",
    "retired": "passed",
    "refused": "refused",
}
"""The gate's verdict by a version's stage; one in another stage has none yet."""


def ended_run(facts: Facts) -> RunView:
    """Return the run of a report.

    Raises:
        CommandError: it is no longer stored.
    """
    if facts.run is None:
        raise CommandError(f"the run of {facts.name} is no longer stored, so it is recorded no more")
    return facts.run


def experiment(facts: Facts, repository: GitRepository, commit: str | None) -> Experiment:
    """Return what is recorded of a run; ``commit`` is the one that was trained, by default the one that the run names.

    Raises:
        CommandError: there is no such commit here, or the run is not judged yet.
    """
    run, version = ended_run(facts), facts.version
    given = commit or run.tags.get("commit") or facts.manifest.commit
    if given is None:
        raise CommandError(
            f"run {run.run_id} names no commit",
            hint=f"interlock retrain {facts.model} --commit COMMIT, or give --parent",
        )
    trained = repository.commit(given)
    if trained is None:
        raise CommandError(f"this repository has no commit {given}", hint="fetch it, or give --repository")
    verdict = STAGES.get(version.stage) if version else "failed"
    if verdict is None:
        raise CommandError(f"{facts.name} is not judged yet", hint=f"interlock watch {run.run_id}")
    return Experiment(
        model=facts.model,
        run_id=run.run_id,
        version=version.version if version else None,
        verdict=verdict,
        reasons=version.reasons if version else [each for each in (run.reason,) if each],
        commit=trained,
        tree=repository.tree(trained, without=FOLDER),
        pipeline_digest=run.pipeline_digest,
        datasets=list(run.datasets),
        ended_at=run.ended_at or run.created_at,
    )


def files(facts: Facts, recorded: Experiment, spec: Pipeline) -> dict[str, str]:
    """Return an experiment's files, texts by their paths."""
    version, manifest = facts.version, facts.manifest
    documents = {
        RECORD: recorded,
        METRICS: version.metrics if version else {},
        PARAMETERS: {"candidate": manifest.winner, **manifest.params},
        "report.json": facts.gate,
    }
    texts = {name: _json(document) for name, document in documents.items()}
    texts |= {"report.md": markdown(sections(facts)), "pipeline.yaml": as_file(spec)}
    return {f"{recorded.folder}/{name}": text for name, text in texts.items()}


def message(recorded: Experiment) -> str:
    """Return the commit's message: what it is, why, and the run as a trailer."""
    what = f"version {recorded.version}" if recorded.version else "no version"
    parts = [f"experiment {recorded.model} {recorded.short}: {what}, {recorded.verdict}"]
    if recorded.reasons:
        parts.append("\n".join(f"- {' '.join(each.split())}" for each in recorded.reasons))
    return "\n\n".join([*parts, f"Interlock-Run: {recorded.run_id}"])


def _json(document: Any) -> str:
    return json.dumps(plain(document), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
