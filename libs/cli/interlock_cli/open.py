"""`interlock open`: the console in a browser, signed in by a single-use ticket."""

import os
import re
import sys
import webbrowser
from typing import Annotated

import typer
from interlock_client import Client
from interlock_contracts.console import LOCAL_ADDRESS, TicketView

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.short_ids import run_id
from interlock_cli.terminal import Json, command_terminal


def open_(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run, or the beginning of its id; default: the home page.", autocompletion=completion.runs
        ),
    ] = None,
    *,
    page: Annotated[
        str | None, typer.Option(help="Another page of the console, for instance /models/flights-1 or /events.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Start a browser if there is a desktop.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Open a run's page in the browser, signed in: timeline, trace waterfall and open work, live.

    Prints the address, which can be used once within ten minutes, and signs in as the owner of the API key.

    Example: interlock open 0b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11
    """
    if run is not None and page is not None:
        raise typer.BadParameter("give either a run or --page PATH")
    if page is not None and not re.fullmatch(LOCAL_ADDRESS, page):
        raise typer.BadParameter(f"{page!r} is not a page of the console; for instance /models")
    with command_terminal(as_json=as_json) as terminal, connect("console") as connection:
        address = sign_in_address(connection, page or (f"/runs/{run_id(run)}" if run else "/"))
        terminal.echo(address)
        if browser and not as_json and _has_desktop():
            webbrowser.open(address)
        else:
            terminal.echo("can be used once, within ten minutes", style="dim")
        terminal.result({"address": address})


def sign_in_address(connection: Client, page: str) -> str:
    """Return an address that signs a browser in, once, and leads to a page of the console.

    Raises:
        UnavailableError: the console does not answer.
        RefusedError: it refuses the key.
    """
    return TicketView.model_validate(connection.post("/session/tickets", {"to": page})).address


def _has_desktop() -> bool:
    """Return whether there is a desktop; a text browser would take over the terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
