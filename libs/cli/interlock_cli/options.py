"""Options that several commands filter their lists by."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypeVar

import typer

Value = TypeVar("Value")

Since = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
        help="Only those since this time, of this machine's time zone unless it names another.",
    ),
]


def parsed_option(name: str, given: list[str] | None, parse: Callable[[str], Value]) -> Value:
    """Return the value of an option that may be given several times.

    Raises:
        BadParameter: ``parse`` refuses it.
    """
    try:
        return parse(",".join(given or []))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=name) from error
