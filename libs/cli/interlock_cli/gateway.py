"""Client of the gateway: its address, and its answers as data or as an error with a hint."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import httpx
from interlock_contracts.http import Body, Problem
from pydantic import ValidationError

from interlock_cli.local_stack import installed_stack_settings
from interlock_cli.terminal import CommandError

View = TypeVar("View", bound=Body)

TIMEOUT = httpx.Timeout(30, connect=5)
NOT_FOUND = 404
UPLOAD_TIMEOUT = httpx.Timeout(600, connect=5)
"""An upload is answered once the file is stored, which takes long on a slow disk."""

NOT_RUNNING = (
    "start the local stack with `interlock up`, or set INTERLOCK_GATEWAY_URL (for the console INTERLOCK_CONSOLE_URL)"
    " and INTERLOCK_API_KEY"
)


class UnreachableError(CommandError):
    """The gateway or a dependency behind it is unavailable: retrying may help."""

    code = 3


class RefusedError(CommandError):
    """The gateway has answered with an error; ``status`` is its HTTP status."""

    def __init__(self, problem: Problem, *, hint: str | None = None) -> None:
        faults = [_fault(each) for each in problem.errors or []]
        message = problem.detail or problem.title
        details = [fault for fault in faults if fault not in message]
        super().__init__(
            "\n  ".join([message, *details]), hint=hint, details={"problem": problem.model_dump(exclude_none=True)}
        )
        self.status = problem.status


class Gateway:
    """A connection to the gateway with a key; use as a context manager."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request and return its successful answer.

        Raises:
            UnreachableError: nothing answers, or the answer is 502, 503 or 504.
            RefusedError: the answer is any other error.
        """
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise UnreachableError(f"nothing answers at {self.url} ({error})", hint=NOT_RUNNING) from error
        if answer.is_success:
            return answer
        raise _refusal(answer)

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        timeout: httpx.Timeout = UPLOAD_TIMEOUT,
        headers: Mapping[str, str] | None = None,
        **params: Any,
    ) -> Iterator[httpx.Response]:
        """Yield a successful answer whose body is still to come; raises as ``request`` does."""
        try:
            with self._http.stream(
                "GET", path, timeout=timeout, headers=headers, params=_without_none(params)
            ) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _refusal(answer)
                yield answer
        except httpx.TransportError as error:
            raise UnreachableError(f"the response of {self.url} was interrupted ({error})", hint=NOT_RUNNING) from error

    def get(self, view: type[View], path: str, **params: Any) -> View:
        """Return one resource; raises as ``request`` does."""
        return view.model_validate(self.request("GET", path, params=_without_none(params)).json())

    def find(self, view: type[View], path: str, **params: Any) -> View | None:
        """Return one resource, None where the answer is 404; raises as ``request`` does."""
        try:
            return self.get(view, path, **params)
        except RefusedError as error:
            if error.status != NOT_FOUND:
                raise
            return None

    def list(self, view: type[View], path: str, **params: Any) -> list[View]:
        """Return a list of resources; raises as ``request`` does."""
        return [view.model_validate(each) for each in self.request("GET", path, params=_without_none(params)).json()]

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Post a JSON body and return the answer's data; fields without a value are left out."""
        return self.request("POST", path, json=_without_none(body)).json()


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _problem(answer: httpx.Response) -> Problem:
    try:
        return Problem.model_validate(answer.json())
    except (ValueError, ValidationError):
        return Problem(title=answer.reason_phrase, status=answer.status_code, detail=answer.text[:500] or None)


def _refusal(answer: httpx.Response) -> CommandError:
    problem = _problem(answer)
    if answer.status_code in (502, 503, 504):
        hint = "`interlock status` shows which component is down"
        return UnreachableError(problem.detail or problem.title, hint=hint, details={"problem": problem.model_dump()})
    return RefusedError(problem, hint=_next_step(answer.status_code))


def _fault(fault: Mapping[str, Any]) -> str:
    where = [f"{name} {fault[name]}" for name in ("row", "column", "field") if fault.get(name) is not None]
    text = str(fault.get("message") or fault.get("detail") or "")
    return ": ".join(part for part in (", ".join(where), text) if part)


def _next_step(status: int) -> str | None:
    match status:
        case 403:
            return "an admin can create a key with this scope: interlock keys create NAME --scope SCOPE"
        case 401:
            return 'set INTERLOCK_API_KEY; the local stack has its own: eval "$(interlock env --export)"'
        case 404:
            return "`interlock models` lists all models"
        case _:
            return None


def environment() -> dict[str, str]:
    """Return the ``INTERLOCK_*`` variables: the process's own first, then those of the checkout's local stack."""
    own = {name: value for name, value in os.environ.items() if name.startswith("INTERLOCK_") and value}
    for name in [name for name in own if name.endswith("_FILE")]:
        own.setdefault(name.removesuffix("_FILE"), Path(own[name]).read_text().strip())
    if "INTERLOCK_GATEWAY_URL" in own:
        return own
    return installed_stack_settings() | own


def connect(service: Literal["gateway", "console"] = "gateway") -> Gateway:
    """Return a connection to the gateway or the console, as the environment or the local stack configures it.

    Raises:
        CommandError: neither does.
    """
    found = environment()
    url = found.get(f"INTERLOCK_{service.upper()}_URL")
    if url is None:
        raise CommandError(f"no {service} is configured", hint=NOT_RUNNING)
    return Gateway(url, found.get("INTERLOCK_API_KEY", ""))
