"""`interlock apply`, `validate` and `pipelines`: pipeline files."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
import yaml
from interlock_client import Client, InterlockError
from interlock_contracts.deletion import DueDataset, DueVersion
from interlock_contracts.http import DatasetView, PipelineView
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.pipeline_file import InvalidPipelineError, NotYamlError, parse_pipeline
from interlock_contracts.stored_rows import shape_of_rows

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.terminal import CommandError, Json, Terminal, command_terminal

SHOWN = 30
"""Versions and files past their retention that a dry run shows."""


def validate(
    file: Annotated[Path, typer.Argument(help="The pipeline file.", exists=True, dir_okay=False)] = Path(
        "pipeline.yaml"
    ),
    *,
    as_json: Json = False,
) -> None:
    """Check a pipeline file without a stack; every fault is shown with its line. Exit code 1 if there is one.

    Whether a table fits it, `interlock ingest --dry-run` checks.

    Example: interlock validate pipeline.yaml
    """
    with command_terminal(as_json=as_json) as terminal:
        pipeline = read(file)
        target = repr(pipeline.target)
        if pipeline.target_transform is not None:
            target = f"{pipeline.target_transform} of {target}"
        about = f"{pipeline.task} of {target} from {len(pipeline.features)} features"
        if pipeline.ignored:
            about += f" (not from {', '.join(pipeline.ignored)})"
        terminal.echo(f"{file} is valid: pipeline {pipeline.name}, {about}, digest {pipeline.digest[:12]}")
        terminal.result({"pipeline": pipeline.name, "digest": pipeline.digest, "spec": pipeline})


def apply(
    file: Annotated[Path, typer.Argument(help="The pipeline file.", exists=True, dir_okay=False)],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; nothing is applied.")] = False,
    as_json: Json = False,
) -> None:
    """Create or update a pipeline from its file.

    The file is validated here and again by the registry; applying an unchanged file has no effect. A dry run also
    shows which versions and files the file's `retention` would delete, and why it would leave others.

    Example: interlock apply pipeline.yaml
    """
    with command_terminal(as_json=as_json) as terminal:
        pipeline = read(file)
        with connect() as gateway:
            if dry_run:
                now = gateway.find(PipelineView, f"/pipelines/{pipeline.name}")
                past = _PastRetention() if now is None else _past_retention(gateway, pipeline)
                _show_change(terminal, now, pipeline, past)
                return
            before = _applied(gateway, pipeline.name)
            view = gateway.apply(file)
            again = _read_again(gateway, before, view) if before is not None and view.changed else 0
        done = "applied" if view.changed else "unchanged"
        terminal.echo(f"pipeline {view.name} {done}: revision {view.revision}, digest {view.digest[:12]}")
        if again:
            files = "1 stored file is" if again == 1 else f"{again:,} stored files are"
            terminal.echo(f"{files} read again, as {'it' if again == 1 else 'they'} came, for what has changed in data")
            terminal.echo(f"next: interlock datasets {view.name}, where each is accepted again or not", style="dim")
        elif view.changed:
            terminal.echo(f"next: interlock ingest {view.name} <file.{view.spec.data.format}>", style="dim")
        terminal.result(view)


def _applied(gateway: Client, name: str) -> PipelineView | None:
    """Return what is applied now; None also for a key that may apply and not read: it only is told less."""
    with suppress(InterlockError):
        return gateway.find(PipelineView, f"/pipelines/{name}")
    return None


def _read_again(gateway: Client, before: PipelineView, view: PipelineView) -> int:
    """Return how many stored training files no longer fit a pipeline, of those that its window takes."""
    if shape_of_rows(before.spec) == shape_of_rows(view.spec):
        return 0
    listed: Sequence[DatasetView] = []
    with suppress(InterlockError):
        listed = gateway.datasets(view.name, state="accepted", role="training")
    files, window = len({each.digest for each in listed}), view.spec.training.window
    return files if window == "all" else min(files, 1 if window == "latest" else window)


def pipelines(
    name: Annotated[
        str | None, typer.Argument(help="Print this pipeline's file instead.", autocompletion=completion.models)
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """List the applied pipelines, or print one as a file, defaults left out.

    Example: interlock pipelines flights-1 > pipeline.yaml
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        if name is not None:
            view = gateway.pipeline(name)
            terminal.echo(as_file(view.spec).rstrip())
            terminal.result(view)
            return
        found = gateway.pipelines()
        columns = ("pipeline", "revision", "digest", "task", "target", "features", "applied")
        terminal.table(columns, [_row(each) for each in found])
        if not found:
            terminal.echo("no pipelines yet; next: interlock init DATA")
        terminal.result(found)


def as_file(spec: Pipeline) -> str:
    """Return a spec as the pipeline file that declares it, defaults left out."""
    declared = spec.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(declared, sort_keys=False, allow_unicode=True)


def _row(view: PipelineView) -> tuple[object, ...]:
    spec = view.spec
    return view.name, view.revision, view.digest[:12], spec.task, spec.target, len(spec.features), view.applied_at


class Change(NamedTuple):
    """A field whose value would be another; None where it is not declared."""

    field: str
    now: Any
    then: Any


@dataclass(frozen=True)
class _PastRetention:
    """What is past the retention that a file declares, also what is kept all the same."""

    versions: Sequence[DueVersion] = ()
    datasets: Sequence[DueDataset] = ()


def _past_retention(gateway: Client, pipeline: Pipeline) -> _PastRetention:
    """Ask what the file's retention would delete if it was applied; nothing where it declares none."""
    name, retention = pipeline.name, pipeline.retention
    versions: Sequence[DueVersion] = ()
    datasets: Sequence[DueDataset] = ()
    if (keep := retention.versions) is not None:
        versions = gateway.list(DueVersion, f"/models/{name}/retention", **keep.model_dump(exclude_none=True))
    if (keep := retention.datasets) is not None:
        asked = keep.model_dump(exclude_none=True) | {"window": pipeline.training.window}
        datasets = gateway.list(DueDataset, f"/datasets/{name}/retention", **asked)
    return _PastRetention(versions, datasets)


def _show_past(terminal: Terminal, past: _PastRetention) -> None:
    named = [(f"version {each.version}", each.registered_at, each.kept_because) for each in past.versions]
    named += [
        (f"file {each.file_name or each.digest[:12]}", each.received_at, each.kept_because) for each in past.datasets
    ]
    if named:
        going = sum(kept_because is None for *_, kept_because in named)
        terminal.echo(f"past its retention: {len(named)}, of which {going} would be deleted for good", style="bold")
        rows = [(what, since, f"kept: it {why}" if why else "deleted") for what, since, why in named[:SHOWN]]
        terminal.table(("what", "since", "then"), rows)
        if len(named) > SHOWN:
            terminal.echo(f"and {len(named) - SHOWN} more; --json shows all", style="dim")


def _show_change(terminal: Terminal, now: PipelineView | None, pipeline: Pipeline, past: _PastRetention) -> None:
    changes: list[Change] = []
    if now is None:
        effect, summary = "new", f"apply would create pipeline {pipeline.name}"
    elif now.digest == pipeline.digest:
        effect, summary = "unchanged", f"pipeline {pipeline.name} is as it is applied: revision {now.revision}"
    else:
        effect, summary = "revision", f"apply would make revision {now.revision + 1} of pipeline {pipeline.name}"
        changes = list(_changes("", now.spec.model_dump(mode="json"), pipeline.model_dump(mode="json")))
    terminal.echo(f"a dry run: {summary}, digest {pipeline.digest[:12]}")
    if changes:
        terminal.table(Change._fields, changes, title="changes")
    _show_past(terminal, past)
    changed = [each._asdict() for each in changes]
    gone = {"versions": past.versions, "datasets": past.datasets}
    terminal.result({"pipeline": pipeline.name, "effect": effect, "changes": changed, "past_retention": gone})


def _changes(field: str, now: Any, then: Any) -> Iterator[Change]:
    if isinstance(now, dict) and isinstance(then, dict):
        for key in {**now, **then}:
            yield from _changes(f"{field}.{key}".removeprefix("."), now.get(key), then.get(key))
    elif now != then:
        yield Change(field, _declared(now), _declared(then))


def _declared(value: Any) -> Any:
    """Return the value without what is left to its default."""
    return {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else value


def read(file: Path) -> Pipeline:
    """Return the pipeline that a file declares.

    Raises:
        CommandError: it is not YAML, or not a valid pipeline; all errors are listed.
    """
    try:
        return parse_pipeline(file.read_bytes())
    except NotYamlError as error:
        raise CommandError(f"{file} is not YAML: {error}") from error
    except InvalidPipelineError as error:
        faults = [str(fault) for fault in error.faults]
        raise CommandError(
            "\n  ".join([f"{file} is not a valid pipeline:", *faults]),
            hint="docs/tutorials/your-own-pipeline.md explains every key",
            details={"faults": faults},
        ) from error
