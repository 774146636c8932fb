"""`interlock tag` and `archive`: description, owner and tags of a model or a version."""

from typing import Annotated

import typer
from interlock_contracts.http import ModelView, VersionView

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.options import VersionOrModel, parsed_tags, parsed_version, shown_tags
from interlock_cli.terminal import Json, Terminal, command_terminal


def tag(
    what: VersionOrModel,
    tags: Annotated[list[str] | None, typer.Argument(metavar="[NAME[=VALUE]]...", help="Tags to set.")] = None,
    *,
    remove: Annotated[list[str] | None, typer.Option(help="A tag to remove; may be given several times.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is, in words; an empty text removes it.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who answers for the model; an empty text removes it.")] = None,
    as_json: Json = False,
) -> None:
    """Set tags, description and owner of a model, or tags and description of a version.

    What is not named stays as it is.

    Example: interlock tag flights-1/3 audited stage=pilot --description "January, without holidays"
    """
    name, version = parsed_version(what)
    changes: dict[str, str | None] = {each: value or "" for each, value in parsed_tags(tags).items()}
    changes |= dict.fromkeys(remove or [])
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.describe(name, version, description=description, owner=owner, tags=changes or None)
        show_description(terminal, found)
        terminal.result(found)


def archive(
    name: Annotated[str, typer.Argument(help="The model.", autocompletion=completion.models)],
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Bring it back.")] = False,
    as_json: Json = False,
) -> None:
    """Archive a model: it serves nothing, takes no new training and is left out of lists, until it is brought back.

    The gateway's workers apply it within ten seconds. Nothing is deleted.

    Example: interlock archive flights-1
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.archive(name, archived=not undo)
        terminal.echo(f"model {name} is {'archived' if found.archived_at else 'back'}", style="green")
        terminal.result(found)


def show_description(terminal: Terminal, found: ModelView | VersionView) -> None:
    """Print description, owner and tags of a model or a version, those that it has."""
    if found.description:
        terminal.echo(found.description)
    if isinstance(found, ModelView) and found.owner:
        terminal.echo(f"owner: {found.owner}")
    if found.tags:
        terminal.echo(f"tags: {shown_tags(found.tags)}")
