"""Short ids: the beginning of a run's id or of a digest stands for the whole, where only one begins so."""

import re
from collections.abc import Iterable
from uuid import UUID

import typer
from interlock_client import Client
from interlock_contracts.http import RunView

from interlock_cli.experiments.record import trained_commit
from interlock_cli.gateway import connect
from interlock_cli.terminal import CommandError

SEARCHED = 500
"""Runs among which a short id is looked up, the newest ones."""

DIGEST_DIGITS = 64

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


def run_of_commit(gateway: Client, model: str, commit: str) -> RunView:
    """Return the run that `retrain --commit` has requested, the newest of several.

    A commit that only adds experiments to what was trained is named by the one that was trained.

    Raises:
        BadParameter: ``commit`` is empty or no tag.
        CommandError: there is none.
    """
    if not commit or "," in commit:
        raise typer.BadParameter(f"{commit!r} is no commit; perhaps a variable is not set", param_hint="--commit")
    found = gateway.runs(model, tags={"commit": trained_commit(model, commit)}, limit=1)
    if not found:
        raise CommandError(
            f"no run of model {model!r} was requested for commit {commit}",
            hint=f"interlock retrain {model} --commit {commit}",
        )
    return found[0]


def dataset_digest(gateway: Client, pipeline: str, text: str) -> str:
    """Return the digest of the one file of a pipeline that begins with ``text``; a whole digest as it is.

    Raises:
        CommandError: no file's digest begins so, or several do.
    """
    if len(text) == DIGEST_DIGITS:
        return text
    known = (view.digest for view in gateway.datasets(pipeline))
    return _digest(text, known, "files", f"interlock datasets {pipeline}")


def spec_digest(gateway: Client, pipeline: str, text: str) -> str:
    """Return the digest of the one spec that begins with ``text``: the newest, or one that a version was trained by.

    Raises:
        CommandError: no such spec's digest begins so, or several do.
    """
    if len(text) == DIGEST_DIGITS:
        return text
    known = (gateway.pipeline(pipeline).digest, *(each.pipeline_digest for each in gateway.versions(pipeline)))
    return _digest(text, known, "specs", f"interlock pipelines, or interlock show {pipeline}/VERSION")


def _digest(text: str, known: Iterable[str], what: str, shown_by: str) -> str:
    found = {digest for digest in known if digest.startswith(text.lower())}
    if len(found) != 1:
        raise CommandError(f"{len(found) or 'no'} {what} have a digest that begins with {text!r}", hint=shown_by)
    return found.pop()
