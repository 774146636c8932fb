"""Output of a command: text and tables for people, one JSON document for programs, an exit code for scripts."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import typer
from interlock_client import InterlockError, UnavailableError
from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]

BEHIND_DOWN = "what you asked answers, a service behind it does not: `interlock status` shows which component is down"

NOT_RUNNING = (
    "start the local stack with `interlock up`, or set INTERLOCK_GATEWAY_URL (for the console INTERLOCK_CONSOLE_URL)"
    " and INTERLOCK_API_KEY"
)

NEXT_STEPS = {
    401: 'set INTERLOCK_API_KEY; the local stack has its own: eval "$(interlock env --export)"',
    403: "an admin can create a key with this scope: interlock keys create NAME --scope SCOPE",
    404: "`interlock models` lists all models",
}
"""What helps against a refusal, by its HTTP status."""

OTHER_STEPS = {"Unknown version": "`interlock versions MODEL` lists a model's versions"}
"""What helps against a refusal with this title instead."""

PIPE_WIDTH = 200
"""Width where output is not a terminal, so that a table in a file or pipe is not cut at 80 columns."""


class CommandError(Exception):
    """An expected error of a command; ``hint`` is the next step, ``details`` are for programs.

    ``code`` is the exit code: 1 refused or failed, 3 unavailable, so that retrying may help.
    """

    code = 1

    def __init__(self, message: str, *, hint: str | None = None, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details or {}


def explained(error: InterlockError) -> CommandError:
    """Return an error of the client as a command reports it: with what to do next, and the problem for programs."""
    notes = "; ".join(getattr(error, "__notes__", ()))
    details = {"problem": error.problem.model_dump(exclude_none=True)} if error.problem else {}
    hint = notes or OTHER_STEPS.get(error.title or "") or (NEXT_STEPS.get(error.status) if error.status else None)
    if isinstance(error, UnavailableError):
        hint = BEHIND_DOWN if error.problem else NOT_RUNNING
    failure = CommandError(str(error), hint=hint, details=details)
    failure.code = 3 if isinstance(error, UnavailableError) else 1
    return failure


class Terminal:
    """Output of one command; with ``as_json`` text for people goes to standard error instead."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out = _console(stderr=as_json)
        self.err = _console(stderr=True)

    @property
    def live(self) -> bool:
        """Return whether output is an interactive terminal, for progress bars."""
        return self.out.is_terminal and not self.as_json

    def echo(self, text: str, *, style: str | None = None) -> None:
        """Print a line for people; nothing with ``as_json``."""
        if not self.as_json:
            self.out.print(escape(text), style=style, soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
        """Print a table for people; None is shown as a dash."""
        if self.as_json:
            return
        if title:
            self.echo(title, style="bold")
        table = Table(*columns, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        self.out.print(table)

    def result(self, value: Any) -> None:
        """Print the JSON document, with ``as_json``."""
        if self.as_json:
            print(json.dumps(plain(value), indent=2, ensure_ascii=False))

    def line(self, value: Any) -> None:
        """Print one of many results as a line of JSON and flush, with ``as_json``."""
        if self.as_json:
            print(json.dumps(plain(value), ensure_ascii=False), flush=True)

    def error(self, failure: CommandError) -> None:
        self.result({"error": failure.message, "hint": failure.hint, **failure.details})
        self.err.print(f"[bold red]error:[/] {escape(failure.message)}", soft_wrap=True)
        if failure.hint:
            self.err.print(f"[bold]next:[/]  {escape(failure.hint)}", soft_wrap=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else PIPE_WIDTH)


def plain(value: Any) -> Any:
    """Return ``value`` as plain JSON data."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return escape(f"{value:.5g}" if isinstance(value, float) else str(value))


@contextmanager
def command_terminal(*, as_json: bool) -> Iterator[Terminal]:
    """Yield the terminal of one command; report a ``CommandError``, or the client's, and exit with its code."""
    terminal = Terminal(as_json=as_json)
    try:
        yield terminal
    except KeyboardInterrupt:
        terminal.err.print("interrupted; the request continues on the server", style="yellow")
        raise typer.Exit(130) from None
    except (CommandError, InterlockError) as error:
        failure = explained(error) if isinstance(error, InterlockError) else error
        terminal.error(failure)
        raise typer.Exit(failure.code) from error
