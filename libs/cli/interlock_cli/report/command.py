"""`interlock report`: the report of a run, as files, as Markdown, or as the one comment of a pull request."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from interlock_cli.gateway import connect
from interlock_cli.report.comment import Forge, comment_once, marker, pull_request
from interlock_cli.report.facts import EndedRun, Facts, OfCommit, asked_for
from interlock_cli.report.pages import COMMENT, markdown, page
from interlock_cli.report.sections import Section, sections
from interlock_cli.terminal import CommandError, Json, command_terminal


def report(
    what: EndedRun,
    *,
    commit: OfCommit = None,
    to: Annotated[Path, typer.Option(help="The output folder; created if missing.")] = Path(),
    stdout: Annotated[bool, typer.Option("--stdout", help="Print the Markdown and write no files.")] = False,
    comment: Annotated[
        Forge | None, typer.Option(help="In a CI job: make it the comment of its pull or merge request.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the report of a run (result, gate result, lineage) as Markdown and as an HTML page with plots.

    With --comment the Markdown is a comment of the pull request that the CI job is for: one for each model, which is
    edited when there is a newer report. The forge's API and token are taken from the job's variables.

    Example: interlock report flights-1/2 --to reports
    """
    if stdout and comment:
        raise typer.BadParameter("give either --stdout or --comment")
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        facts = asked_for(gateway, what, commit)
        found = sections(facts)
        document = {
            "model": facts.model,
            "version": facts.version.version if facts.version else None,
            "stage": facts.version.stage if facts.version else None,
            "run_id": str(facts.run.run_id) if facts.run else None,
        }
        if comment is not None:
            address = _comment(comment, facts, found)
            terminal.echo(address or "no comment: the job is not for a pull or merge request")
            terminal.result({**document, "comment": address})
            return
        if stdout:
            if not as_json:
                print(markdown(found), end="")
            terminal.result({**document, "markdown": markdown(found)})
            return
        to.mkdir(parents=True, exist_ok=True)
        texts = {"md": markdown(found), "html": page(found, partial(_draw, facts))}
        paths = {kind: to / f"{facts.name}.{kind}" for kind in texts}
        for kind, path in paths.items():
            path.write_text(texts[kind], encoding="utf-8")
            terminal.echo(str(path))
        terminal.result({**document, **{kind: str(path) for kind, path in paths.items()}})


def _comment(forge: Forge, facts: Facts, found: Sequence[Section]) -> str | None:
    """Make the report the model's comment; return its address, None where there is no pull request."""
    request = pull_request(forge, os.environ)
    if request is None:
        return None
    mark = marker(facts.model)
    return comment_once(request, mark, f"{mark}\n{markdown(found, limit=COMMENT - len(mark) - 1)}")


def _draw(facts: Facts, name: str) -> str:
    try:
        from interlock_cli.report.plots import draw  # noqa: PLC0415 - it takes a second, and is an extra
    except ImportError as error:
        raise CommandError("plots need matplotlib", hint="install interlock-cli[report], or use --stdout") from error
    return draw(name, facts)
