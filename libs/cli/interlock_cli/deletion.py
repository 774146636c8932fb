"""`interlock delete` and `erase`: what is gone for good."""

from typing import Annotated

import typer

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.options import parsed_version
from interlock_cli.terminal import Json, command_terminal


def delete(
    what: Annotated[
        str,
        typer.Argument(help="The version.", metavar="NAME/VERSION", autocompletion=completion.versions),
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a version that does not serve, for good: it cannot be brought back, nor rolled back to.

    Its files are gone from the object store after a time of grace, apart from those that another version shares.
    The key must have the scope admin.

    Example: interlock delete flights-1/3
    """
    name, number = parsed_version(what)
    if number is None:
        raise typer.BadParameter(f"name a version, for instance {name}/2", param_hint="NAME/VERSION")
    if not yes:
        typer.confirm(f"Delete version {number} of {name} for good?", abort=True, err=True)
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.delete_version(name, number)
        gone = found.objects_gone_after.astimezone().strftime("%Y-%m-%d %H:%M")
        terminal.echo(f"version {number} of {name} is deleted; its files are gone soon after {gone}", style="green")
        terminal.result(found)


def erase(
    name: Annotated[str, typer.Argument(help="The model.", autocompletion=completion.models)],
    column: Annotated[str, typer.Argument(help="The column that tells the subject.")],
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
