"""Shared by both clients: the request as ``httpx`` takes it, and how an operation becomes a method."""

import inspect
from collections.abc import Callable, Generator
from functools import update_wrapper
from typing import Any, get_args

import httpx

from interlock_client.errors import InterlockError, NotConfiguredError
from interlock_client.flows import Flow, Request, Step, T
from interlock_client.settings import Settings


class Connection:
    """Addresses and key of one client."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._headers = {"Authorization": f"Bearer {settings.key}"}

    @property
    def url(self) -> str:
        """Return the gateway's address."""
        return self._settings.url

    def _base(self, request: Request) -> str:
        """Return the address of who is to answer.

        Raises:
            NotConfiguredError: that is the console, whose address is nowhere.
        """
        base = self._settings.console_url if request.console else self.url
        if base is None:
            raise NotConfiguredError("no console is configured: give `console_url`, or set INTERLOCK_CONSOLE_URL")
        return base

    def _options(self, request: Request) -> dict[str, Any]:
        """Return the arguments of ``httpx``'s methods, but for the content of a file."""
        return {
            "method": request.method,
            "url": self._base(request) + request.path,
            "params": request.params,
            "headers": request.headers,
            "json": request.json,
            "content": request.content,
            "timeout": request.timeout,
        }


Outcome = httpx.Response | Exception | None


def advance(flow: Generator[Step, Any, T], outcome: Outcome) -> Step:
    """Give a flow the outcome of its last step and return its next.

    Raises:
        StopIteration: it has ended; ``value`` is its result.
    """
    return flow.throw(outcome) if isinstance(outcome, Exception) else flow.send(outcome)


EXPECTED = (httpx.TransportError, InterlockError)
"""Outcomes that a flow may have an answer to."""


def described(method: Callable[..., Any], operation: Callable[..., Flow[Any]]) -> None:
    """Give a method the name, the text and the signature of its operation, for ``help`` and notebooks."""
    update_wrapper(method, operation)
    signature = inspect.signature(operation)
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    *_, result = get_args(signature.return_annotation)
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[this, *signature.parameters.values()], return_annotation=result
    )
