"""`interlock demo`: runs the story of `interlock_localstack.demo` with this command line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from uuid import UUID

import typer
from interlock_client import Client
from interlock_contracts.http import RunView
from interlock_localstack.demo.story import Story

from interlock_cli import gateway, rollouts, watch
from interlock_cli.open import sign_in_address
from interlock_cli.stack import stack_errors
from interlock_cli.terminal import Json, Terminal, command_terminal


def demo(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Run the demo on this machine, on real data; takes one or two minutes.

    Two months of New York's flights are ingested, one after the other. Each time a model is trained on Ray, evaluated
    on held-out rows, promoted and served; the second version takes over while a client keeps sending predictions. The
    local stack keeps running afterwards; `interlock down` stops it.

    Example: interlock demo
    """
    with command_terminal(as_json=as_json) as terminal, stack_errors():
        Story(_CommandLine(ctx, terminal)).run()


class _CommandLine:
    """This command line, as the demo drives it."""

    def __init__(self, ctx: typer.Context, terminal: Terminal) -> None:
        self._root = ctx.find_root()
        self.output = terminal

    def run(self, *arguments: str) -> int:
        with redirect_stdout(sys.stderr if self.output.as_json else sys.stdout):
            return self._root.command.main(list(arguments), prog_name="interlock", standalone_mode=False) or 0

    @contextmanager
    def connect(self) -> Iterator[Client]:
        with gateway.connect() as connection:
            yield connection

    def settings(self) -> dict[str, str]:
        return gateway.environment()

    def watch(self, run: UUID, *, timeout: float) -> RunView:
        with gateway.connect() as connection:
            return watch.follow_run(connection, self.output, run, timeout=timeout)

    def watch_rollout(self, model: str, version: int) -> None:
        with gateway.connect() as connection:
            rollouts.follow_promoted(connection, self.output, model, version)

    def console_page(self, page: str) -> str:
        with gateway.connect("console") as connection:
            return sign_in_address(connection, page)
