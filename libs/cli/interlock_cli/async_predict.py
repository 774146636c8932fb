"""`interlock predict --async`: asynchronous predictions, submitted and waited for."""

import time
from typing import Any

from interlock_client import Client
from interlock_contracts.prediction_bodies import PredictionAccepted, PredictionView
from interlock_contracts.predictions import MAX_ROWS

from interlock_cli.terminal import CommandError, Terminal

FIRST_SECONDS, LAST_SECONDS = 0.05, 2.0


def submit(gateway: Client, terminal: Terminal, name: str, rows: list[dict[str, Any]]) -> PredictionAccepted:
    """Submit an asynchronous prediction, and print the URL of its result."""
    if len(rows) > MAX_ROWS:
        raise CommandError(
            f"{len(rows)} rows are too many for one request", hint="score the whole file with --file and --out"
        )
    accepted = PredictionAccepted.model_validate(
        gateway.post(f"/models/{name}/predictions", {"rows": rows}, idempotent=True)
    )
    terminal.echo(
        f"prediction {accepted.id} is {accepted.state}; its result will be at {gateway.url}{accepted.links.self}"
    )
    return accepted


def wait_for_answer(gateway: Client, accepted: PredictionAccepted) -> dict[str, Any]:
    """Poll until the prediction has ended, and return its answer.

    Raises:
        CommandError: the prediction failed or was cancelled; the text says why.
    """
    pause = FIRST_SECONDS
    while True:
        seen = gateway.find(PredictionView, accepted.links.self)
        if seen is not None:
            if seen.answer is not None:
                return seen.answer
            if seen.ended_at is not None:
                raise CommandError(f"prediction {seen.id} is {seen.state}: {seen.reason}")
        time.sleep(pause)
        pause = min(pause * 1.5, LAST_SECONDS)
