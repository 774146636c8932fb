"""Errors of the client: one hierarchy, made of the problem details that the services answer with."""

from collections.abc import Mapping
from typing import Any

import httpx
from interlock_contracts.http import Body, DatasetView, Problem
from pydantic import ValidationError

OUTAGES = (502, 503, 504)


class InterlockError(Exception):
    """Base of what this client raises on purpose; ``problem`` is what the service has answered, if it has."""

    def __init__(self, message: str, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.problem = problem

    @property
    def status(self) -> int | None:
        """Return the HTTP status; None where nothing has answered."""
        return self.problem.status if self.problem else None

    @property
    def title(self) -> str | None:
        return self.problem.title if self.problem else None

    @property
    def detail(self) -> str | None:
        return self.problem.detail if self.problem else None

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Return the faults, each with where it is: ``row``, ``column`` or ``field``, and ``message``."""
        return (self.problem.errors if self.problem else None) or []


class NotConfiguredError(InterlockError):
    """No address was given, and the environment has none."""


class UnavailableError(InterlockError):
    """Nothing answers, or a service behind the gateway does not (502, 503, 504): the same call may work later."""


class RefusedError(InterlockError):
    """The answer is an error, which the same call will get again."""


class InvalidError(RefusedError):
    """What was sent is not valid (400, 422); ``errors`` names every fault."""


class NotAllowedError(RefusedError):
    """The key is unknown (401), or may not do this (403)."""


class NotFoundError(RefusedError):
    """There is no such thing (404)."""


class ConflictError(RefusedError):
    """It does not go together with what is there (409)."""


class RejectedError(InterlockError):
    """A file does not keep the pipeline's rules; ``dataset`` has every reason."""

    def __init__(self, dataset: DatasetView) -> None:
        reasons = [each.message for each in dataset.reasons]
        super().__init__("\n  ".join([f"the file is rejected by pipeline {dataset.pipeline}", *reasons]))
        self.dataset = dataset


class EndedError(InterlockError):
    """What was waited for has ended otherwise: failed, cancelled, expired. ``seen`` is the body that says why."""

    def __init__(self, message: str, seen: Body) -> None:
        super().__init__(message)
        self.seen: Any = seen


class StillGoingError(InterlockError):
    """What was waited for has not ended in time; it goes on. ``seen`` is the last body, with how far it had come."""

    def __init__(self, message: str, seen: Body) -> None:
        super().__init__(message)
        self.seen: Any = seen


_BY_STATUS: dict[int, type[RefusedError]] = {
    400: InvalidError,
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidError,
}


def error_of(answer: httpx.Response) -> InterlockError:
    """Return what an answer that is no success means."""
    problem = _problem(answer)
    message = problem.detail or problem.title
    if answer.status_code in OUTAGES:
        return UnavailableError(message, problem)
    others = [fault for fault in problem.errors or [] if not _is_in_message(fault, message)]
    faults = [line for line in map(_line, others) if line not in message]
    return _BY_STATUS.get(answer.status_code, RefusedError)("\n  ".join([message, *faults]), problem)


def _problem(answer: httpx.Response) -> Problem:
    try:
        return Problem.model_validate(answer.json())
    except (ValueError, ValidationError):
        return Problem(title=answer.reason_phrase, status=answer.status_code, detail=answer.text[:500] or None)


def _is_in_message(fault: Mapping[str, Any], message: str) -> bool:
    """Return whether a fault of a request's part, which has a ``key``, stands in the message already."""
    return fault.get("key") is not None and str(fault.get("message")) in message


def _line(fault: Mapping[str, Any]) -> str:
    where = [f"{name} {fault[name]}" for name in ("row", "column", "field") if fault.get(name) is not None]
    if fault.get("key") is not None:
        where = [str(fault["key"])]
    text = str(fault.get("message") or fault.get("detail") or "")
    return ": ".join(part for part in (", ".join(where), text) if part)
