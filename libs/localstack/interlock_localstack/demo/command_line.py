"""Interface of the command line as the demo drives it; `interlock_cli` implements it, and is not imported here."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar
from uuid import UUID

from interlock_contracts.http import Body, RunView

View = TypeVar("View", bound=Body)


class Gateway(Protocol):
    """A connection to the gateway; every method raises an error that the command line reports, where it fails."""

    @property
    def url(self) -> str:
        """Return its address."""

    def get(self, view: type[View], path: str, /, **params: Any) -> View:
        """Return one resource."""

    def list(self, view: type[View], path: str, /, **params: Any) -> Sequence[View]:
        """Return a list of resources."""

    def post(self, path: str, body: Mapping[str, Any], /) -> Any:
        """Post a JSON body and return the answer's data."""


class Output(Protocol):
    """Where the demo prints: text and tables for people, one JSON document for programs."""

    def echo(self, text: str, *, style: str | None = None) -> None:
        """Print a line for people."""

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Print a table for people."""

    def result(self, value: Any) -> None:
        """Print the JSON document, where one was asked for."""


class CommandLine(Protocol):
    """The `interlock` command: its subcommands, and what the demo uses of them directly."""

    @property
    def output(self) -> Output:
        """Return where the demo prints."""

    def run(self, *arguments: str) -> int:
        """Run a subcommand, as a user would, and return its exit code."""

    def connect(self) -> AbstractContextManager[Gateway]:
        """Return a connection to the gateway of the stack, which must have been started."""

    def settings(self) -> dict[str, str]:
        """Return the ``INTERLOCK_*`` settings of the stack."""

    def watch(self, run: UUID, *, timeout: float) -> RunView:
        """Show a run's progress until it has ended, and return it."""

    def watch_rollout(self, model: str, version: int) -> None:
        """Show the roll-out of a version that was just promoted, until it has converged."""

    def console_page(self, page: str) -> str:
        """Return an address that signs a browser in to the console, once, and opens a page of it."""
