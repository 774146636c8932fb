"""`interlock experiments push`, `list` and `prune`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from interlock_contracts.filters import metric_order

from interlock_cli import completion
from interlock_cli.experiments.documents import ended_run, experiment, files, message
from interlock_cli.experiments.record import BRANCH, METRICS, PARAMETERS, Experiment, read_document, read_experiment
from interlock_cli.gateway import connect
from interlock_cli.git_repository import GitRepository
from interlock_cli.models import Name
from interlock_cli.options import parsed_option
from interlock_cli.report.facts import EndedRun, OfCommit, asked_for
from interlock_cli.terminal import CommandError, Json, command_terminal

experiments = typer.Typer(
    help="Keep runs as branches of a git repository: pipeline file, report, metrics, parameters.", no_args_is_help=True
)

RepositoryPath = Annotated[Path, typer.Option("--repository", "-C", help="The repository with the code.")]
Remote = Annotated[str | None, typer.Option(help="The remote whose branches are meant; default: those here.")]


@experiments.command()
def push(
    what: EndedRun,
    *,
    commit: OfCommit = None,
    parent: Annotated[
        str | None, typer.Option(help="The commit that was trained; default: the one that the run names.")
    ] = None,
    repository: RepositoryPath = Path(),
    remote: Annotated[str | None, typer.Option(help="Push the branch there; default: make it here.")] = None,
    as_json: Json = False,
) -> None:
    """Record an ended run as the branch experiment/MODEL/RUN, a commit behind the one that was trained.

    Its folder experiments/MODEL/RUN has the run (run.json), the pipeline file, the report (report.md, report.json),
    metrics.json and params.json. A branch that is there stays as it is: run it as often as you like. Neither the
    working tree nor the index is touched.

    Example: interlock experiments push stars --commit "$(git rev-parse HEAD)" --remote origin
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        code, facts = GitRepository(repository), asked_for(gateway, what, commit)
        recorded = experiment(facts, code, parent)
        there = (
            code.remote_branch(remote, recorded.branch)
            if remote
            else code.branches(recorded.branch).get(recorded.branch)
        )
        made = None
        if there is None:
            spec = gateway.pipeline(facts.model, digest=ended_run(facts).pipeline_digest).spec
            added = files(facts, recorded, spec)
            made = code.commit_files(recorded.commit, added, message(recorded), recorded.ended_at)
            if remote is None:
                code.add_branch(recorded.branch, made)
            else:
                there = _pushed(code, remote, recorded.branch, made)
        done = f"pushed to {remote}" if remote else "written"
        if there is None:
            terminal.echo(f"{recorded.branch} {done}: {recorded.verdict}", style="green")
        else:
            terminal.echo(f"{recorded.branch} is there: {recorded.verdict}")
        about = {"branch": recorded.branch, "commit": there or made, "written": there is None}
        terminal.result({**about, "run": recorded})


def _pushed(code: GitRepository, remote: str, branch: str, commit: str) -> str | None:
    """Push a branch; return the commit of the one that somebody else has pushed meanwhile, if so.

    Raises:
        CommandError: the remote refuses it.
    """
    try:
        code.push_branch(remote, branch, commit)
    except CommandError:
        if (there := code.remote_branch(remote, branch)) is None:
            raise
        return there
    return None


@dataclass(frozen=True)
class Listed:
    """An experiment's branch with what its commit says."""

    branch: str
    commit: str
    run: Experiment
    metrics: Mapping[str, Any]
    parameters: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        about = {"branch": self.branch, "commit": self.commit, "run": self.run}
        return {**about, "metrics": dict(self.metrics), "parameters": dict(self.parameters)}


@experiments.command("list")
def list_experiments(
    name: Annotated[
        str | None, typer.Argument(help="Only this model's.", autocompletion=completion.models, show_default=False)
    ] = None,
    *,
    repository: RepositoryPath = Path(),
    remote: Remote = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="[-]METRIC", help="Sort by a metric, the smallest first; -r2: the greatest first."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List experiments with their metrics, newest first, as the branches have them; needs no stack.

    Example: interlock experiments list stars --remote origin --sort=-r2
    """
    order = parsed_option("--sort", [sort or ""], metric_order)
    with command_terminal(as_json=as_json) as terminal:
        found = _listed(GitRepository(repository), remote, name)
        if order is not None:
            sign = -1 if order.descending else 1
            by = order.metric
            found.sort(key=lambda each: (by not in each.metrics, sign * each.metrics.get(by, 0.0)))
        metrics = list(
            dict.fromkeys([*([order.metric] if order else []), *(m for each in found for m in each.metrics)])
        )
        columns = ("branch", "verdict", "version", *metrics, "candidate", "ended", "trained")
        terminal.table(columns, [_row(each, metrics) for each in found])
        if not found:
            terminal.echo("no experiments; next: interlock experiments push RUN")
        terminal.result([each.document() for each in found])


def _row(each: Listed, metrics: list[str]) -> tuple[object, ...]:
    measured = (each.metrics.get(name) for name in metrics)
    candidate = each.parameters.get("candidate")
    return (
        each.branch,
        each.run.verdict,
        each.run.version,
        *measured,
        candidate,
        each.run.ended_at,
        each.run.commit[:12],
    )


def _listed(code: GitRepository, remote: str | None, model: str | None) -> list[Listed]:
    """Return the experiments of a remote, or here, newest first; branches that somebody made by hand are none."""
    room = f"{BRANCH}/{model}" if model else BRANCH
    if remote is not None:
        code.fetch_branches(remote, f"{room}/*")
    found = []
    for branch, commit in code.branches(room, fetched=remote is not None).items():
        try:
            run = read_experiment(code, commit)
        except CommandError:
            continue
        metrics, parameters = (read_document(code, commit, f"{run.folder}/{name}") for name in (METRICS, PARAMETERS))
        found.append(Listed(branch, commit, run, metrics, parameters))
    return sorted(found, key=lambda each: (each.run.ended_at, each.branch), reverse=True)


@experiments.command()
def prune(
    name: Name,
    *,
    repository: RepositoryPath = Path(),
    remote: Remote = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what is past its retention, delete nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Delete the experiments' branches of a model that are past `retention.experiments` of its pipeline file.

    What was merged stays in the history of the branch that it was merged into. Run it by the clock, in CI or cron.

    Example: interlock experiments prune stars --remote origin
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        keep = gateway.pipeline(name).spec.retention.experiments
        code, now = GitRepository(repository), datetime.now(UTC)
        found = _listed(code, remote, name) if keep else []
        gone = {
            each.branch: each.commit
            for newer, each in enumerate(found)
            if keep and keep.is_past(newer=newer, age=now - each.run.ended_at)
        }
        if not dry_run:
            code.delete_branches(gone, remote=remote)
        for branch in gone:
            terminal.echo(f"{branch} {'would be deleted' if dry_run else 'deleted'}")
        if keep is None:
            terminal.echo(f"the pipeline file of {name} declares no retention.experiments, so all are kept")
        elif not gone:
            terminal.echo(f"nothing is past its retention: {len(found)} experiments of {name} are there")
        terminal.result({"model": name, "deleted": gone, "kept": len(found) - len(gone), "dry_run": dry_run})
