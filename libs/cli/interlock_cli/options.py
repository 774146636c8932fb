"""Options that several commands filter their lists by."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, TypeVar

import typer

from interlock_cli import completion

Value = TypeVar("Value")

Since = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
        help="Only those since this time, of this machine's time zone unless it names another.",
    ),
]


VersionOrModel = Annotated[
    str,
    typer.Argument(
        help="A model, or one version of it as NAME/VERSION.",
        metavar="NAME[/VERSION]",
        autocompletion=completion.versions,
    ),
]

Tag = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME[=VALUE]", help="Only those with this tag; may be given several times."),
]


def parsed_version(what: str) -> tuple[str, int | None]:
    """Return the model's name, and the version's number where ``what`` names one.

    Raises:
        BadParameter: what follows the slash is no number.
    """
    name, slash, number = what.partition("/")
    if slash and not number.isdigit():
        raise typer.BadParameter(f"{number!r} is not a version number; for instance flights-1/2")
    return name, int(number) if number else None


def parsed_tags(given: list[str] | None) -> dict[str, str | None]:
    """Return tags by their names; one without a value is None."""
    pairs = (each.partition("=") for each in given or [])
    return {name: value if sign else None for name, sign, value in pairs}


def shown_tags(tags: Mapping[str, str]) -> str | None:
    """Return tags as a cell shows them; None where there are none."""
    return ", ".join(f"{name}={value}" if value else name for name, value in tags.items()) or None


def parsed_option(name: str, given: list[str] | None, parse: Callable[[str], Value]) -> Value:
    """Return the value of an option that may be given several times.

    Raises:
        BadParameter: ``parse`` refuses it.
    """
    try:
        return parse(",".join(given or []))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=name) from error
