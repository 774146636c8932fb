"""`interlock promote`: a version on its way from one deployment stage to the next."""

from typing import Annotated

import typer

from interlock_cli.gateway import connect
from interlock_cli.models import Name
from interlock_cli.terminal import Json, command_terminal


def promote(
    name: Name,
    version: Annotated[int, typer.Argument(min=1, help="A version that serves, or has served, in the stage before.")],
    *,
    to: Annotated[str, typer.Option(help="The next stage of the pipeline, for instance production.")],
    as_json: Json = False,
) -> None:
    """Promote a version to the next deployment stage (`stages` in the pipeline file).

    Where another version serves there than the one it was compared with, the gate compares these two first.

    Example: interlock promote flights-1 3 --to production
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        answer = gateway.promote(name, version, to=to)
        if answer.state == "promoted":
            terminal.echo(f"version {version} of {name} is promoted to {answer.stage}", style="green")
        elif answer.state == "measured":
            terminal.echo(f"the gate compares version {version} with the version that serves in {answer.stage} first")
            terminal.echo(f"next: interlock show {name}/{version}", style="dim")
        else:
            terminal.echo(f"version {version} of {name} waits for an approval to {answer.stage}")
            terminal.echo(f"next: interlock approve {name} {version}", style="dim")
        terminal.result(answer)
