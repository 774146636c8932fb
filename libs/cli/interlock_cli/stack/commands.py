"""`interlock up | down | status | logs | env`."""

import shlex
import subprocess
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from interlock_cli import completing
from interlock_cli.gateway import Gateway
from interlock_cli.opening import ticket
from interlock_cli.stack.bring_up import up as bring_up
from interlock_cli.stack.home import Home
from interlock_cli.stack.log_lines import readable
from interlock_cli.stack.look import status as look
from interlock_cli.stack.plan import NAMES, chosen
from interlock_cli.stack.take_down import down as take_down
from interlock_cli.terminal import Failure, Json, Terminal, answering


def up(
    *,
    only: Annotated[
        str | None, typer.Option(help="Parts, separated by commas; `servers` and `services` name them all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start the local stack, or what is missing of it, and wait until every part works.

    Data and ports are kept between runs. A server that you have already is used instead of a local one where its
    setting is there: INTERLOCK_AMQP_URL, INTERLOCK_POSTGRES_URL, INTERLOCK_S3_ENDPOINT with INTERLOCK_S3_ACCESS_KEY
    and INTERLOCK_S3_SECRET_KEY, INTERLOCK_RAY_ADDRESS with INTERLOCK_RAY_TOKEN.
    """
    with answering(as_json=as_json) as terminal:
        home = Home.find()
        bring_up(home, names := chosen(only), terminal.say)
        if "console" in names and not as_json:
            _say_where_to_look(home, terminal)
        terminal.result(look(home) if as_json else None)


def _say_where_to_look(home: Home, terminal: Terminal) -> None:
    """Print the console's address; what has just started is not called broken because it makes no ticket yet."""
    known = home.read("environment")
    address = known["INTERLOCK_CONSOLE_URL"]
    with suppress(Failure), Gateway(address, known["INTERLOCK_API_KEY"]) as console:
        address = ticket(console, "/runs")
    terminal.say(f"\nlook: {address}")
    terminal.say("it signs you in, once, within ten minutes; interlock open makes another", style="dim")


def down(
    *,
    wipe: Annotated[bool, typer.Option("--wipe", help="Remove what the servers have kept, too.")] = False,
    as_json: Json = False,
) -> None:
    """Stop everything that `interlock up` started, and nothing else."""
    with answering(as_json=as_json) as terminal:
        home = Home.find()
        take_down(home, terminal.say, wipe=wipe)
        terminal.result(look(home) if as_json else None)


def status(*, as_json: Json = False) -> None:
    """Show each part of the local stack: healthy, or why not; exit code 1 unless all are."""
    with answering(as_json=as_json) as terminal:
        parts = look(Home.find())
        rows = [(part["name"], part["kind"], part["pid"], part.get("detail", "healthy"), part["url"]) for part in parts]
        if parts:
            terminal.table(["part", "kind", "pid", "health", "url"], rows)
        else:
            terminal.say("nothing has been started yet; interlock up")
        terminal.result(parts)
        if not parts or not all(part["healthy"] for part in parts):
            raise typer.Exit(1)


def logs(
    part: Annotated[
        str | None,
        typer.Argument(help=f"One of {', '.join(NAMES)}; all when left out.", autocompletion=completing.parts),
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 100,
    as_json: Json = False,
) -> None:
    """Show what a part has printed.

    Example: interlock logs gateway --follow
    """
    if follow and as_json:
        raise typer.BadParameter("--json answers with one document, so not with --follow")
    with answering(as_json=as_json) as terminal:
        home = Home.find()
        files = [home.logs / f"{part}.log"] if part else sorted(home.logs.glob("*.log"))
        if not files or not all(file.exists() for file in files):
            raise Failure(f"there is no log of {part or 'any part'}", hint=f"parts: {', '.join(NAMES)}")
        if as_json:
            terminal.result({file.stem: _last(file, lines) for file in files})
            return
        how = ["-F"] if follow else []
        tail = ["tail", f"--lines={lines}", *how, *map(str, files)]
        with (
            suppress(KeyboardInterrupt),
            subprocess.Popen(tail, stdout=subprocess.PIPE, text=True, errors="replace") as told,
        ):
            for line in told.stdout or ():
                print(readable(line.rstrip("\n")), flush=follow)


def _last(file: Path, lines: int) -> list[str]:
    """Return a log's last lines, read with all that there are: a log is bounded by the supervisor."""
    with file.open(errors="replace") as log:
        return [line.rstrip("\n") for line in deque(log, maxlen=lines)]


def env(
    *,
    export: Annotated[bool, typer.Option("--export", help="Begin each line with `export`.")] = False,
    as_json: Json = False,
) -> None:
    """Print the addresses and credentials of the stack as lines for `eval "$(interlock env --export)"`.

    Example: interlock env --export
    """
    with answering(as_json=as_json) as terminal:
        found = Home.find().read("environment")
        if not found:
            raise Failure("nothing has been started yet", hint="interlock up")
        terminal.result(found)
        for name, value in sorted(found.items()) if not as_json else ():
            print(f"{'export ' if export else ''}{name}={shlex.quote(value)}")
