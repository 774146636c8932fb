"""`interlock predict --async`: asynchronous predictions, submitted and waited for."""

from typing import Any

from interlock_client import Client
from interlock_contracts.prediction_bodies import PredictionAccepted
from interlock_contracts.predictions import MAX_ROWS, MAX_TTL_SECONDS

from interlock_cli.terminal import CommandError, Terminal


def submit(gateway: Client, terminal: Terminal, name: str, rows: list[dict[str, Any]]) -> PredictionAccepted:
    """Submit an asynchronous prediction, and print the URL of its result."""
    if len(rows) > MAX_ROWS:
        raise CommandError(
            f"{len(rows)} rows are too many for one request", hint="score the whole file with --file and --out"
        )
    accepted = gateway.predict_later(name, rows)
    terminal.echo(
        f"prediction {accepted.id} is {accepted.state}; its result will be at {gateway.url}{accepted.links.self}"
    )
    return accepted


def wait_for_answer(gateway: Client, accepted: PredictionAccepted) -> dict[str, Any]:
    """Return the answer of the prediction once it is there, for as long as any is kept.

    Raises:
        EndedError: it failed or was cancelled; the text says why.
    """
    return gateway.answered(accepted, timeout=MAX_TTL_SECONDS).model_dump(mode="json", exclude_unset=True)
