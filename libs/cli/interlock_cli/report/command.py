"""`interlock report`: the report of a run, as files or as Markdown for a pull request."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from interlock_client import Client

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.report.facts import Facts, of_run, of_version
from interlock_cli.report.pages import markdown, page
from interlock_cli.report.sections import sections
from interlock_cli.short_ids import run_id
from interlock_cli.terminal import CommandError, Json, command_terminal


def report(
    what: Annotated[
        str,
        typer.Argument(
            help="An ended run, or a version.", metavar="RUN|NAME/VERSION", autocompletion=completion.versions
        ),
    ],
    *,
    to: Annotated[Path, typer.Option(help="The output folder; created if missing.")] = Path(),
    stdout: Annotated[bool, typer.Option("--stdout", help="Print the Markdown and write no files.")] = False,
    as_json: Json = False,
) -> None:
    """Write the report of a run (result, gate result, lineage) as Markdown and as an HTML page with plots.

    The Markdown fits into a pull request's comment: `interlock report RUN --stdout | gh pr comment --body-file -`.

    Example: interlock report flights-1/2 --to reports
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        facts = _facts(gateway, what)
        found = sections(facts)
        document = {
            "model": facts.model,
            "version": facts.version.version if facts.version else None,
            "stage": facts.version.stage if facts.version else None,
            "run_id": str(facts.run.run_id) if facts.run else None,
        }
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


def _facts(gateway: Client, what: str) -> Facts:
    name, slash, number = what.partition("/")
    if slash and number.isdigit():
        return of_version(gateway, name, int(number))
    if slash:
        raise typer.BadParameter(f"{what!r} is no version of a model; write NAME/VERSION, for instance flights-1/2")
    return of_run(gateway, run_id(what))


def _draw(facts: Facts, name: str) -> str:
    try:
        from interlock_cli.report.plots import draw  # noqa: PLC0415 - it takes a second, and is an extra
    except ImportError as error:
        raise CommandError("plots need matplotlib", hint="install interlock-cli[report], or use --stdout") from error
    return draw(name, facts)
