"""`interlock up | down | status | logs | env`: the commands of the local stack."""

import shlex
import subprocess
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from interlock_client import Client, InterlockError
from interlock_contracts.names import near_name
from interlock_localstack.environment import stack_settings
from interlock_localstack.errors import StackError
from interlock_localstack.log_lines import readable
from interlock_localstack.plan import NAMES, select
from interlock_localstack.start import start_stack
from interlock_localstack.state_dir import StateDir
from interlock_localstack.status import stack_status
from interlock_localstack.stop import stop_stack

from interlock_cli import completion
from interlock_cli.open import sign_in_address
from interlock_cli.terminal import CommandError, Json, Terminal, command_terminal


@contextmanager
def stack_errors() -> Iterator[None]:
    """Turn an error of the local stack into one that a command reports, with its hint."""
    try:
        yield
    except StackError as error:
        raise CommandError(error.message, hint=error.hint) from error


def up(
    *,
    only: Annotated[
        str | None, typer.Option(help="Components, comma-separated; or the groups `servers` and `services`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start the local stack, or what is missing of it, and wait until every component is healthy.

    Data and ports are kept between runs. An external server is used instead of a local one where its setting is
    given: INTERLOCK_AMQP_URL, INTERLOCK_POSTGRES_URL, INTERLOCK_S3_ENDPOINT with INTERLOCK_S3_ACCESS_KEY
    and INTERLOCK_S3_SECRET_KEY, INTERLOCK_RAY_ADDRESS with INTERLOCK_RAY_TOKEN.
    """
    with command_terminal(as_json=as_json) as terminal, stack_errors():
        state_dir = StateDir.find()
        start_stack(state_dir, names := select(only), terminal.echo)
        if "console" in names and not as_json:
            _print_console_address(state_dir, terminal)
        terminal.result(stack_status(state_dir) if as_json else None)


def _print_console_address(state_dir: StateDir, terminal: Terminal) -> None:
    """Print the console's address, without a sign-in ticket where the console issues none yet."""
    known = state_dir.read("environment")
    address = known["INTERLOCK_CONSOLE_URL"]
    with suppress(InterlockError), Client(address, known["INTERLOCK_API_KEY"]) as console:
        address = sign_in_address(console, "/")
    terminal.echo(f"\nconsole: {address}")
    terminal.echo("signs you in, once, within ten minutes; `interlock open` prints another address", style="dim")


def down(
    *,
    wipe: Annotated[bool, typer.Option("--wipe", help="Also delete the servers' data.")] = False,
    as_json: Json = False,
) -> None:
    """Stop everything that `interlock up` started, and nothing else."""
    with command_terminal(as_json=as_json) as terminal, stack_errors():
        state_dir = StateDir.find()
        stop_stack(state_dir, terminal.echo, wipe=wipe)
        terminal.result(stack_status(state_dir) if as_json else None)


def status(*, as_json: Json = False) -> None:
    """Show the health of each component of the local stack; exit code 1 unless all are healthy."""
    with command_terminal(as_json=as_json) as terminal, stack_errors():
        found = stack_status(StateDir.find())
        rows = [(each["name"], each["kind"], each["pid"], each.get("detail", "healthy"), each["url"]) for each in found]
        if found:
            terminal.table(["component", "kind", "pid", "health", "url"], rows)
        else:
            terminal.echo("the local stack has never been started; next: interlock up")
        terminal.result(found)
        if not found or not all(each["healthy"] for each in found):
            raise typer.Exit(1)


def logs(
    component: Annotated[
        str | None,
        typer.Argument(help=f"One of {', '.join(NAMES)}; default: all.", autocompletion=completion.components),
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new lines.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Number of last lines to print.")] = 100,
    as_json: Json = False,
) -> None:
    """Print the logs of one component, or of all.

    Example: interlock logs gateway --follow
    """
    if follow and as_json:
        raise typer.BadParameter("--json prints one document, so it cannot be combined with --follow")
    with command_terminal(as_json=as_json) as terminal:
        folder = StateDir.find().logs
        files = [folder / f"{component}.log"] if component else sorted(folder.glob("*.log"))
        if not files or not all(file.exists() for file in files):
            near = near_name(component or "", NAMES)
            meant = f"; did you mean {near!r}?" if near is not None and near != component else ""
            raise CommandError(
                f"there is no log of {component or 'any component'}{meant}", hint=f"components: {', '.join(NAMES)}"
            )
        if as_json:
            terminal.result({file.stem: _last(file, lines) for file in files})
            return
        how = ["-F"] if follow else []
        tail = ["tail", f"--lines={lines}", *how, *map(str, files)]
        with (
            suppress(KeyboardInterrupt),
            subprocess.Popen(tail, stdout=subprocess.PIPE, text=True, errors="replace") as process,
        ):
            for line in process.stdout or ():
                print(readable(line.rstrip("\n")), flush=follow)


def _last(file: Path, lines: int) -> list[str]:
    """Return a log's last lines; the supervisor limits the size of a log."""
    with file.open(errors="replace") as log:
        return [line.rstrip("\n") for line in deque(log, maxlen=lines)]


def env(
    *,
    export: Annotated[bool, typer.Option("--export", help="Prefix each line with `export`.")] = False,
    as_json: Json = False,
) -> None:
    """Print the addresses and credentials of the stack as shell variables, for `eval "$(interlock env --export)"`.

    Example: interlock env --export
    """
    with command_terminal(as_json=as_json) as terminal:
        found = stack_settings()
        if not found:
            raise CommandError("the local stack has never been started", hint="interlock up")
        terminal.result(found)
        for name, value in sorted(found.items()) if not as_json else ():
            print(f"{'export ' if export else ''}{name}={shlex.quote(value)}")
