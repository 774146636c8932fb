"""The console as commands use it: it answers and refuses as the gateway does, at an address of its own."""

from typing import Any

from interlock_cli.gateway import NOT_RUNNING, Gateway, environment
from interlock_cli.spans import Span
from interlock_cli.terminal import Failure


def connect() -> Gateway:
    """Return a connection to the console that the environment or the local stack names.

    Raises:
        Failure: neither does.
    """
    found = environment()
    if "INTERLOCK_CONSOLE_URL" not in found:
        raise Failure("no console is known", hint=NOT_RUNNING.replace("GATEWAY", "CONSOLE"))
    return Gateway(found["INTERLOCK_CONSOLE_URL"], found.get("INTERLOCK_API_KEY", ""))


def spans(trace_id: str) -> tuple[list[Span], list[str]]:
    """Return a trace's spans and the names of what is known to be open still.

    Raises:
        UnreachableError: the console does not answer.
        RefusedError: it knows no such trace, or the key may not read.
    """
    with connect() as console:
        told: dict[str, Any] = console.ask("GET", f"/view/traces/{trace_id}").json()
    found = [Span.model_validate({"trace_id": trace_id, **span}) for span in told["spans"]]
    return found, [_named(each) for each in told.get("open", ())]


def _named(step: Any) -> str:
    return step if isinstance(step, str) else str(step.get("name") or step.get("lane") or step)
