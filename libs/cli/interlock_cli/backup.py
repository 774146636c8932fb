"""`interlock backup` and `restore`: a local stack in one file."""

from pathlib import Path
from typing import Annotated

import typer
from interlock_localstack import backup as backups
from interlock_localstack.state_dir import StateDir

from interlock_cli.stack import stack_errors
from interlock_cli.terminal import CommandError, Json, command_terminal


def backup(
    file: Annotated[Path, typer.Argument(help="The archive to write, for instance monday.tar.", dir_okay=False)],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Back up the running local stack: database, objects, and the secrets by which keys and signatures stay valid.

    The file holds secrets: keep it as safe as the stack. Predictions go on meanwhile.

    Example: interlock backup monday.tar
    """
    with command_terminal(as_json=as_json) as terminal, stack_errors():
        if file.exists() and not force:
            raise CommandError(f"{file} is there already", hint="write elsewhere, or replace it with --force")
        if not file.absolute().parent.is_dir():
            raise CommandError(f"there is no folder {file.absolute().parent}")
        manifest = backups.back_up(StateDir.find(), file, terminal.echo)
        terminal.echo(f"{file}: {manifest['objects']:,} objects, {file.stat().st_size:,} bytes", style="green")
        terminal.result({**manifest, "file": str(file)})


def restore(
    file: Annotated[Path, typer.Argument(help="An archive of `interlock backup`.", dir_okay=False)],
    *,
    as_json: Json = False,
) -> None:
    """Fill an empty local stack from a backup; then `interlock up` starts it.

    The stack of INTERLOCK_HOME, or of this checkout, must have no data yet. What serves, serves again; runs that were
    going on are tried again.

    Example: interlock restore monday.tar
    """
    with command_terminal(as_json=as_json) as terminal, stack_errors():
        manifest = backups.restore(StateDir.find(), file, terminal.echo)
        terminal.echo(f"restored the stack as it was at {manifest['taken_at']}", style="green")
        terminal.echo("next: interlock up", style="dim")
        terminal.result(manifest)
