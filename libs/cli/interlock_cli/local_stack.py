"""Commands of the local stack, which is an extra: without it, each says what to install."""

from collections.abc import Callable
from typing import Any

import typer

from interlock_cli.terminal import CommandError, command_terminal

PANEL = "Local stack"
NAMES = ("up", "down", "status", "logs", "env", "backup", "restore", "demo")
_ANY_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}


def add_local_stack(app: typer.Typer) -> None:
    """Add the commands to ``app``, in the order that `interlock --help` lists them."""
    try:
        from interlock_cli import backup, demo, stack  # noqa: PLC0415 - the local stack is an extra
    except ModuleNotFoundError as error:
        if not _is_extra(error):
            raise
        for name in NAMES:
            app.command(name, rich_help_panel=PANEL, context_settings=_ANY_ARGUMENTS)(_not_installed(name))
        return
    of_stack = (stack.up, stack.down, stack.status, stack.logs, stack.env)
    for command in (*of_stack, backup.backup, backup.restore, demo.demo):
        app.command(command.__name__, rich_help_panel=PANEL)(command)


def installed_stack_settings() -> dict[str, str]:
    """Return the settings of the checkout's local stack; none where it was never started, or is not installed."""
    try:
        from interlock_localstack.environment import stack_settings  # noqa: PLC0415 - the local stack is an extra
    except ModuleNotFoundError as error:
        if not _is_extra(error):
            raise
        return {}
    return stack_settings()


def _is_extra(error: ModuleNotFoundError) -> bool:
    """Return whether the extra is what is missing: an error within it is not to be hidden."""
    return error.name is not None and error.name.partition(".")[0] == "interlock_localstack"


def _not_installed(name: str) -> Callable[[typer.Context], Any]:
    def command(ctx: typer.Context) -> None:
        with command_terminal(as_json="--json" in ctx.args):
            raise CommandError(f"`interlock {name}` needs the local stack: install interlock-cli[stack]")

    command.__doc__ = "Not installed: this needs interlock-cli[stack]."
    return command
