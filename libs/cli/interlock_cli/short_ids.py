"""Short ids of runs: the beginning of an id stands for it where only one of the newest runs has it."""

import re
from uuid import UUID

import typer

from interlock_cli.gateway import connect
from interlock_cli.terminal import CommandError

SEARCHED = 500
"""Runs among which a short id is looked up, the newest ones."""

_SHORTEST = 4
_BEGINNING = re.compile(r"[0-9a-f]{4,8}(-[0-9a-f-]{0,27})?", re.IGNORECASE)


def run_id(text: str) -> UUID:
    """Return the id of the run that is meant: ``text`` itself, or the one id that begins with it.

    Raises:
        BadParameter: it is no part of an id.
        CommandError: none of the newest runs has such an id, or several have.
    """
    try:
        return UUID(text)
    except ValueError:
        pass
    if not _BEGINNING.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no run's id, nor the beginning of one ({_SHORTEST} digits or more)")
    with connect() as gateway:
        newest = gateway.runs(limit=SEARCHED)
    found = [run for run in newest if str(run.run_id).startswith(text.lower())]
    if len(found) == 1:
        return found[0].run_id
    if not found:
        raise CommandError(
            f"none of the {len(newest)} newest runs has an id that begins with {text}", hint="interlock runs"
        )
    shown = ", ".join(f"{run.run_id} ({run.model})" for run in found[:5])
    raise CommandError(f"{len(found)} runs have an id that begins with {text}: {shown}", hint="give more digits")
