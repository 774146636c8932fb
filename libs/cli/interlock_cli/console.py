"""Requests to the console, whose client is that of the gateway, at another address."""

from typing import Any
from uuid import UUID

from interlock_client import Client, Request
from interlock_contracts.console import RunLanes

from interlock_cli.spans import Span


def spans(console: Client, trace_id: str) -> tuple[list[Span], list[str]]:
    """Return a trace's spans, and the ids of missing spans: parents that have not been received.

    Raises:
        UnavailableError: the console does not answer.
        RefusedError: it knows no such trace, or the key may not read.
    """
    answer: dict[str, Any] = console.request(Request("GET", f"/view/traces/{trace_id}", repeatable=True)).json()
    found = [Span.model_validate({"trace_id": trace_id, **span}) for span in answer["spans"]]
    return found, [each["span_id"] for each in answer.get("open", ())]


def still_open(console: Client, run_id: UUID) -> list[str]:
    """Return the open work of a run, as far as the console has received its events; raises as ``spans``."""
    return [f"{each.lane}: {each.name}" for each in console.get(RunLanes, f"/view/runs/{run_id}").open]
