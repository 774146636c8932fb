"""`interlock delete` and `erase`: what is gone for good."""

from typing import Annotated

import typer
from interlock_contracts.deletion import DeletedDatasetView, DeletedModelView, DeletedVersionView

from interlock_cli import completion
from interlock_cli.datasets import one_dataset
from interlock_cli.gateway import connect
from interlock_cli.options import parsed_version
from interlock_cli.terminal import Json, Terminal, command_terminal

_WHAT = "NAME[/VERSION]"


def delete(
    what: Annotated[
        str,
        typer.Argument(
            help="The version, or the whole model; with --dataset the pipeline.",
            metavar=_WHAT,
            autocompletion=completion.versions,
        ),
    ],
    *,
    dataset: Annotated[
        str | None, typer.Option(help="Delete this file of the pipeline, by its digest or a prefix of it.")
    ] = None,
    model: Annotated[
        bool, typer.Option("--model", help="Delete the whole model, which must be archived, with all that hangs on it.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Reason, kept in the audit log; with --model.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a version that does not serve, for good: it cannot be brought back, nor rolled back to.

    With --model an archived model is deleted, with its versions, files, predictions, ground truth and schedules; its
    name is not given again. It asks for the name once more.

    With --dataset a file that was ingested is deleted: nothing is trained on it any more, and a run that trains on it
    now ends as failed. What is stored is gone from the object store after a time of grace, apart from what another
    version or file shares. The key must have the scope admin.

    Example: interlock delete flights-1/3

    Example: interlock delete flights-1 --dataset 4f2a91c0

    Example: interlock delete flights-1 --model --reason "replaced by flights-2"
    """
    name, number = parsed_version(what)
    if dataset is not None or model:
        if number is not None:
            alone = f"with {'--model name the model' if model else '--dataset name the pipeline'} alone, {name}"
            raise typer.BadParameter(alone, param_hint=_WHAT)
        if dataset is not None and model:
            raise typer.BadParameter("give --model or --dataset, not both", param_hint="--model")
        if dataset is not None:
            _delete_dataset(name, dataset, yes=yes, as_json=as_json)
        else:
            _delete_model(name, reason=reason, yes=yes, as_json=as_json)
        return
    if number is None:
        example = f"name a version, for instance {name}/2, a file with --dataset, or say --model for all of it"
        raise typer.BadParameter(example, param_hint=_WHAT)
    _confirm(f"version {number} of {name}", yes=yes)
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.delete_version(name, number)
        _tell(terminal, f"version {number} of {name}", found)


def _delete_model(name: str, *, reason: str | None, yes: bool, as_json: bool) -> None:
    what = f"model {name}, with its versions, files and predictions"
    if not yes and typer.prompt(f"Delete {what}, for good? Type its name", err=True) != name:
        raise typer.Abort
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        _tell(terminal, f"model {name}", gateway.delete_model(name, reason=reason))


def _delete_dataset(name: str, digest: str, *, yes: bool, as_json: bool) -> None:
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        view = one_dataset(gateway.datasets(name), digest)
        what = f"file {view.digest[:12]} of {name}"
        _confirm(f"{what} ({view.file_name})" if view.file_name else what, yes=yes)
        _tell(terminal, what, gateway.delete_dataset(name, view.digest))


def _confirm(what: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(f"Delete {what} for good?", abort=True, err=True)


def _tell(terminal: Terminal, what: str, found: DeletedVersionView | DeletedDatasetView | DeletedModelView) -> None:
    gone = found.objects_gone_after.astimezone().strftime("%Y-%m-%d %H:%M")
    terminal.echo(f"{what} is deleted; what is stored of it is gone soon after {gone}", style="green")
    terminal.result(found)


def erase(
    name: Annotated[str, typer.Argument(help="The model.", autocompletion=completion.models)],
    column: Annotated[str, typer.Argument(help="The column that identifies the subject.")],
    *,
    as_json: Json = False,
) -> None:
    """Erase a subject's rows from a model's prediction log, with their ground truth: those whose column has a value.

    The value is asked for, or read from standard input: it is no argument, which would stay in the shell's history.
    Erased is what is in the log; the key must have the scope admin.

    Example: interlock erase flights-1 tail_number < value.txt
    """
    asked = typer.get_text_stream("stdin")
    value = typer.prompt("Value", hide_input=True, err=True) if asked.isatty() else asked.readline().rstrip("\r\n")
    if not value:
        raise typer.BadParameter("give the value on standard input", param_hint="VALUE")
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.erase(name, column, value)
        rows, truths = f"{found.rows:,} logged rows", f"{found.truths:,} ground truths"
        terminal.echo(f"erased {rows} and {truths} of {name} by {column}", style="green")
        terminal.result(found)
