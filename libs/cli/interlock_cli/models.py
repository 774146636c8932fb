"""`interlock models`, `versions`, `show`, `approve` and `rollback`: models, versions and promotions."""

from contextlib import suppress
from typing import Annotated, Any

import typer
from interlock_client import Client, RefusedError, UnavailableError
from interlock_contracts.filters import VERSION_STAGES, bounds, chosen
from interlock_contracts.http import ModelView, VersionView
from interlock_contracts.manifest import CandidateScores
from interlock_contracts.stages import PRODUCTION

from interlock_cli import completion, rollouts
from interlock_cli.descriptions import show_description
from interlock_cli.gateway import connect
from interlock_cli.options import Since, Tag, VersionOrModel, parsed_option, parsed_tags, parsed_version, shown_tags
from interlock_cli.short_ids import run_of_commit
from interlock_cli.terminal import CommandError, Json, Terminal, command_terminal

Name = Annotated[
    str, typer.Argument(help="The model; it is named like its pipeline.", autocompletion=completion.models)
]


def models(
    *,
    text: Annotated[str | None, typer.Option(help="Only models with this part in the name.")] = None,
    serving: Annotated[
        bool | None, typer.Option("--serving/--not-serving", help="Only models of which a version serves, or none.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Only models of this owner.")] = None,
    tag: Tag = None,
    archived: Annotated[bool, typer.Option("--archived", help="List the archived models instead.")] = False,
    as_json: Json = False,
) -> None:
    """List models with their serving version.

    Example: interlock models --not-serving
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.models(text=text, serving=serving, owner=owner, tags=parsed_tags(tag), archived=archived)
        columns = ("model", "serving", "versions", "promoted", "cause", "owner", "tags")
        terminal.table(columns, [_model_row(model) for model in found])
        if not found:
            wanted = text is not None or serving is not None or owner is not None or tag or archived
            terminal.echo("no such models" if wanted else "no models yet; next: interlock apply pipeline.yaml")
        terminal.result(found)


def _model_row(model: ModelView) -> tuple[object, ...]:
    described = (model.owner, shown_tags(model.tags))
    earlier = "".join(f", {where} {what}" for where, what in _by_stage(model) if where != PRODUCTION)
    if model.serving is None:
        return (model.name, earlier.removeprefix(", ") or None, model.versions, None, None, *described)
    now = model.serving
    return (model.name, f"version {now.ref.version}{earlier}", model.versions, now.promoted_at, now.cause, *described)


def _by_stage(model: ModelView) -> list[tuple[str, str]]:
    """Return what serves in each stage of a model that has several."""
    shown = [(each.stage, f"version {each.serving.ref.version}" if each.serving else "none") for each in model.stages]
    return shown if len(shown) > 1 else []


def versions(
    name: Name,
    *,
    stage: Annotated[
        list[str] | None,
        typer.Option(help=f"Only versions in this stage, {', '.join(VERSION_STAGES)}; may be given several times."),
    ] = None,
    since: Since = None,
    at_least: Annotated[
        list[str] | None, typer.Option("--min", metavar="METRIC:VALUE", help="Only with at least so much, r2:0.8.")
    ] = None,
    at_most: Annotated[
        list[str] | None, typer.Option("--max", metavar="METRIC:VALUE", help="Only with at most so much, rmse:2.")
    ] = None,
    tag: Tag = None,
    limit: Annotated[int | None, typer.Option(min=1, max=1000, help="Maximum number of results.")] = None,
    as_json: Json = False,
) -> None:
    """List a model's versions with their gate result, newest first.

    Example: interlock versions flights-1 --stage refused --min r2:0.8
    """
    wanted: dict[str, Any] = {
        "stage": parsed_option("--stage", stage, lambda text: chosen(text, VERSION_STAGES)),
        "at_least": parsed_option("--min", at_least, bounds),
        "at_most": parsed_option("--max", at_most, bounds),
        "tags": parsed_tags(tag),
        "since": since,
        "limit": limit,
    }
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.versions(name, **wanted)
        columns = ("version", "stage", "registered", "run", "tags", "gate result")
        rows = [
            (
                each.version,
                each.stage,
                each.registered_at,
                each.run_id,
                shown_tags(each.tags),
                "; ".join(each.reasons) or None,
            )
            for each in found
        ]
        terminal.table(columns, rows)
        if not found:
            none_yet = f"model {name} has no version yet; next: interlock retrain {name}"
            terminal.echo("no such versions" if any(wanted.values()) else none_yet)
        terminal.result(found)


def show(
    what: VersionOrModel,
    *,
    as_json: Json = False,
) -> None:
    """Show a model's input schema, or a version's lineage and gate result.

    Example: interlock show flights-1/2
    """
    name, number = parsed_version(what)
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        if number is not None:
            version = gateway.version(name, number)
            _show_version(terminal, version)
            terminal.result(version)
        else:
            model = gateway.model(name)
            _show_model(gateway, terminal, model)
            terminal.result(model)


def _show_model(gateway: Client, terminal: Terminal, model: ModelView) -> None:
    show_description(terminal, model)
    if model.archived_at is not None:
        terminal.echo(f"archived; `interlock archive {model.name} --undo` brings it back", style="yellow")
    if by_stage := _by_stage(model):
        terminal.table(("stage", "serving"), by_stage)
    if model.serving is None:
        terminal.echo(f"{model.name}: {model.versions} versions, none serving")
        return
    now = model.serving
    terminal.echo(
        f"{model.name}: version {now.ref.version} of {model.versions} is serving; promotion cause: {now.cause}"
    )
    with suppress(RefusedError, UnavailableError):
        terminal.echo(rollouts.summary(gateway.rollout(model.name)))
    signature = model.signature or {}
    columns = ("feature", "type", "nullable", "min", "max", "allowed values")
    rows = [
        (
            each["name"],
            each["type"],
            "yes" if each.get("nullable") else "no",
            each.get("min"),
            each.get("max"),
            ", ".join(map(str, each.get("values") or ())) or None,
        )
        for each in signature.get("features", ())
    ]
    terminal.table(columns, rows, title=f"predicts {signature.get('target')} ({signature.get('task')})")


def _show_version(terminal: Terminal, version: VersionView) -> None:
    manifest: dict[str, Any] = version.details or {}
    terminal.echo(f"{version.model} version {version.version}: {version.stage}")
    show_description(terminal, version)
    facts = {
        "serves in": ", ".join(version.serves_in) or None,
        "bound for": version.bound_for,
        "run": version.run_id,
        "pipeline": version.pipeline_digest[:12],
        "datasets": ", ".join(digest[:12] for digest in version.datasets),
        "evaluation file": version.evaluation[:12] if version.evaluation else None,
        "winner": manifest.get("winner"),
        "parameters": ", ".join(f"{key}={value}" for key, value in (manifest.get("params") or {}).items()) or None,
        "rows": manifest.get("rows"),
        "seed": manifest.get("seed"),
        "commit": manifest.get("commit"),
        "code": manifest.get("code_version"),
        "fit seconds": manifest.get("fit_seconds"),
        "artifact": version.artifact.sha256[:12],
    }
    terminal.table(("lineage", ""), [(key, value) for key, value in facts.items() if value is not None])
    candidates = [
        (each.candidate, each.mean, len(each.scores), each.tuned, each.fit_seconds)
        for each in map(CandidateScores.model_validate, manifest.get("candidates") or ())
    ]
    metric = manifest.get("metric") or "score"
    columns = ("candidate", f"mean {metric}", "folds", "tuned", "fit seconds")
    terminal.table(columns, candidates, title="selection")
    _show_report(terminal, version.report or {})


def _show_report(terminal: Terminal, report: dict[str, Any]) -> None:
    if not report:
        terminal.echo("the gate has not evaluated it yet")
        return
    metrics = [(name, value) for name, value in (report.get("metrics") or {}).items()]
    terminal.table(("metric", "value"), metrics, title=f"on {report.get('rows', 0):,} held-out rows")
    checks = report.get("checks") or [{"passed": report.get("passed"), "text": text} for text in report["reasons"]]
    terminal.table(("gate", ""), [("passed" if each["passed"] else "FAILED", each["text"]) for each in checks])


def approve(
    name: Name,
    version: Annotated[int | None, typer.Argument(min=1, help="The version that awaits approval.")] = None,
    *,
    commit: Annotated[
        str | None, typer.Option(help="Instead: the version that `retrain --commit` has trained for this commit.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Approve the promotion of a version that has passed the gate (`promotion: approval`).

    With --commit, as in a CI job that may run twice, a version that serves already is a success, too.

    Example: interlock approve flights-1 3
    """
    if (version is None) == (commit is None):
        raise typer.BadParameter("give either a version or --commit")
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        if commit is not None:
            trained = _trained_for(gateway, name, commit)
            version = trained.version
            if trained.stage == "champion":
                terminal.echo(f"version {version} of {name} serves already", style="green")
                terminal.result({"model": name, "version": version, "promoted": True})
                return
        answer = gateway.approve(name, int(version or 0))
        if answer.promoted:
            terminal.echo(f"version {version} of {name} is promoted", style="green")
        else:
            terminal.echo(
                f"another version was promoted meanwhile, so the gate evaluates version {version} against it first"
            )
        terminal.result(answer)


def _trained_for(gateway: Client, name: str, commit: str) -> VersionView:
    """Return the version that was trained for a commit; a run that was coalesced is followed in the one it joined.

    Raises:
        CommandError: there is none, or not yet.
    """
    run = run_of_commit(gateway, name, commit)
    while run.into is not None:
        run = gateway.run(run.into)
    if run.version is None:
        why = f": {run.reason}" if run.reason else ""
        raise CommandError(
            f"run {run.run_id} has no version, it is {run.state}{why}", hint=f"interlock watch {run.run_id}"
        )
    return gateway.version(name, run.version)


def rollback(
    name: Name,
    *,
    version: Annotated[int | None, typer.Option(min=1, help="Default: the version that served before.")] = None,
    reason: Annotated[str | None, typer.Option(help="Reason, stored with the promotion.")] = None,
    stage: Annotated[str | None, typer.Option(help="The deployment stage; default: production.")] = None,
    as_json: Json = False,
) -> None:
    """Roll back to an earlier version.

    Example: interlock rollback flights-1 --version 1 --reason "wrong airport codes"
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        answer = gateway.rollback(name, version, reason=reason, stage=stage)
        where = "" if stage is None else f" to {answer.stage}"
        terminal.echo(f"version {answer.version} of {name} is promoted again{where}", style="green")
        terminal.result(answer)
