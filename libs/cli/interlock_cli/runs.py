"""`interlock retrain`, `watch`, `runs` and `cancel`: training runs."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer
from interlock_client import Client
from interlock_client.operations.runs import require_idempotency_key
from interlock_contracts.filters import metric_bounds, metric_order
from interlock_contracts.http import RunAccepted, RunView
from interlock_contracts.training import RUN_STATES, parse_run_states

from interlock_cli import completion, rollouts
from interlock_cli.experiments.record import trained_commit
from interlock_cli.gateway import connect
from interlock_cli.options import Since, Tag, parsed_option, parsed_tags, shown_tags
from interlock_cli.short_ids import dataset_digest, run_id, spec_digest
from interlock_cli.terminal import Json, Terminal, command_terminal, plain
from interlock_cli.watch import follow_run, newest_run
from interlock_cli.waterfall import elapsed

Timeout = Annotated[float, typer.Option(help="Timeout of waiting for the end, in seconds.")]


def retrain(
    name: Annotated[str, typer.Argument(help="The model to retrain.", autocompletion=completion.models)],
    *,
    reason: Annotated[str | None, typer.Option(help="Reason, stored with the run.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="A dataset that must be in the training data, by its digest or a prefix of it.")
    ] = None,
    pipeline: Annotated[
        str | None, typer.Option(help="The pipeline spec, by its digest or a prefix of it; default: the newest.")
    ] = None,
    commit: Annotated[
        str | None,
        typer.Option(help="Commit that requests the run, stored with it; asked for again, it is the same run."),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="Name of this request: asked for again by the same name, it is the same run."),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=VALUE]", help="A tag, stored with the run; may be given several times."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run until it ends.")] = False,
    timeout: Timeout = 3600,
    as_json: Json = False,
) -> None:
    """Request a training run, with or without new data.

    With --commit a CI job that is run again trains once and reports the same run, also after its end. To train the
    same commit again, give the request another --idempotency-key.

    Example: interlock retrain flights-1 --reason "new month" --tag team=pricing --wait
    """
    if commit == "":
        raise typer.BadParameter("is empty; perhaps a variable is not set", param_hint="--commit")
    if idempotency_key is not None:
        parsed_option("--idempotency-key", [idempotency_key], require_idempotency_key)
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        dataset = dataset and dataset_digest(gateway, name, dataset)
        pipeline = pipeline and spec_digest(gateway, name, pipeline)
        tags = {each: value or "" for each, value in parsed_tags(tag).items()} or None
        trained = commit and trained_commit(name, commit)
        if trained != commit:
            terminal.echo(f"{commit} only adds experiments to {trained}, which names the run", style="dim")
        accepted = gateway.retrain(
            name,
            reason=reason,
            dataset=dataset,
            pipeline=pipeline,
            commit=trained,
            tags=tags,
            idempotency_key=idempotency_key,
        )
        show_accepted(gateway, terminal, accepted, timeout=timeout if wait else None)


def watch(
    run: Annotated[
        str | None, typer.Argument(help="The run's id, or its beginning.", autocompletion=completion.runs)
    ] = None,
    *,
    model: Annotated[
        str | None, typer.Option(help="Follow this model's newest run instead.", autocompletion=completion.models)
    ] = None,
    timeout: Timeout = 3600,
    as_json: Json = False,
) -> None:
    """Follow a run until its version serves: trials, best score so far, gate result, roll-out.

    Exit code 0 if the new version passed the gate and, if promoted, serves in every gateway worker; 1 if it was
    refused, failed or was cancelled, or a worker could not load it.

    Example: interlock watch --model flights-1
    """
    if (run is None) == (model is None):
        raise typer.BadParameter("give either a run or --model NAME")
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        followed = run_id(run) if run else newest_run(gateway, str(model))
        watch_to_end(gateway, terminal, followed, timeout)


def show_accepted(gateway: Client, terminal: Terminal, accepted: RunAccepted, *, timeout: float | None) -> None:
    """Show a run that was asked for, and follow it to its end unless ``timeout``, in seconds, is None.

    Raises:
        typer.Exit: with code 1 where it was followed and did not succeed.
    """
    terminal.echo(f"run {accepted.run_id}")
    if timeout is not None:
        watch_to_end(gateway, terminal, accepted.run_id, timeout)
    else:
        terminal.echo(f"next: interlock watch {accepted.run_id}", style="dim")
        terminal.result(accepted)


def watch_to_end(gateway: Client, terminal: Terminal, run: UUID, timeout: float) -> None:
    """Follow a run until its version serves, and show how it ended.

    Raises:
        typer.Exit: with code 1 where it did not succeed.
    """
    ended = follow_run(gateway, terminal, run, timeout=timeout)
    seen = None
    if ended.state == "succeeded" and gateway.promoted(ended):
        seen = rollouts.follow_promoted(gateway, terminal, ended.model, int(ended.version or 0))
    terminal.result({**plain(ended), "rollout": seen})
    if ended.state != "succeeded":
        raise typer.Exit(1)


def runs(
    *,
    model: Annotated[str | None, typer.Option(help="Only this model's runs.", autocompletion=completion.models)] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(help=f"Only runs in this state, {', '.join(RUN_STATES)}; may be given several times."),
    ] = None,
    tag: Tag = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC>=VALUE",
            help='Only runs with at least (at most: <=) so much, "r2>=0.9", in quotes; may be given several times.',
        ),
    ] = None,
    since: Since = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="[-]METRIC", help="Sort by a metric, the smallest first; -r2: the greatest first."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Maximum number of results.")] = 20,
    as_json: Json = False,
) -> None:
    """List runs, newest first, with the metrics that they were chosen or sorted by.

    Example: interlock runs --model flights-1 --state succeeded --tag team=pricing --metric "r2>=0.9" --sort=-r2
    """
    states = parsed_option("--state", state, parse_run_states)
    bounds = parsed_option("--metric", metric, metric_bounds)
    order = parsed_option("--sort", [sort or ""], metric_order)
    measured = list(dict.fromkeys(each.metric for each in (*([order] if order else ()), *bounds)))
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        tags, bounded = parsed_tags(tag), metric or ()
        found = gateway.runs(model, state=states, tags=tags, metric=bounded, since=since, sort=sort, limit=limit)
        columns = (
            "run",
            "model",
            "state",
            "attempt",
            "version",
            *measured,
            "requested",
            "queue wait",
            "duration",
            "requested by",
            "request",
            "tags",
            "reason",
        )
        terminal.table(columns, [_row(run, measured) for run in found])
        if not found:
            filtered = model or state or tag or metric or since
            terminal.echo("no such runs" if filtered else "no runs yet; next: interlock retrain NAME")
        terminal.result(found)


def _row(run: RunView, measured: Sequence[str]) -> tuple[object, ...]:
    times = (run.created_at, elapsed(run.created_at, run.started_at), elapsed(run.started_at, run.ended_at))
    asked = (run.requested_by, run.request_reason, shown_tags(run.tags))
    metrics = (run.metrics.get(name) for name in measured)
    return (run.run_id, run.model, run.state, run.attempt, run.version, *metrics, *times, *asked, run.reason)


def cancel(
    run: Annotated[str, typer.Argument(help="The run's id, or its beginning.", autocompletion=completion.runs)],
    *,
    as_json: Json = False,
) -> None:
    """Cancel a queued or running run; the serving version is not affected.

    Example: interlock cancel 0b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        wanted = run_id(run)
        view = gateway.cancel(wanted)
        terminal.echo(f"cancellation of run {wanted} is requested; next: interlock watch {wanted}")
        terminal.result(view)
