"""Calls without any input or output (sans-IO): requests, pauses and retries as generators.

A flow yields what it wants next and is sent the outcome, as ``httpx``'s own authentication flows do. So everything
that takes more than one request is written once; the two clients only perform the steps.
"""

import random
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from uuid import uuid4

import httpx
from interlock_contracts.http import Body
from pydantic import ValidationError

from interlock_client.errors import InterlockError, NotFoundError, UnavailableError, error_of
from interlock_client.views import Views

T = TypeVar("T")
View = TypeVar("View", bound=Body)

TIMEOUT = httpx.Timeout(30, connect=5)
UPLOAD_TIMEOUT = httpx.Timeout(600, connect=5)
"""An upload is answered once the file is stored, which takes long on a slow disk."""

RETRIED = (429, 502, 503, 504)
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
FILE_CHUNK = 1024 * 1024
PAGE = 100
"""Resources in one request of a list that takes several."""


@dataclass(frozen=True)
class Request:
    """One request; the body is ``json``, or ``content``, or a ``file`` that is sent in pieces.

    ``repeatable``: the service may get it twice without harm. ``on_sent`` is called with the size of each piece.
    A successful answer's body goes ``into`` a file, where one is named, in pieces; ``on_received`` is called with the
    size of each, and of the whole where the service sends it.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    file: Path | None = None
    on_sent: Callable[[int], object] | None = None
    into: Path | None = None
    on_received: Callable[[int, int | None], object] | None = None
    timeout: httpx.Timeout | float = field(default_factory=lambda: TIMEOUT)
    repeatable: bool = False
    console: bool = False

    def pieces(self) -> Iterator[bytes]:
        """Yield the file's content."""
        if self.file is None:
            return
        with self.file.open("rb") as source:
            while piece := source.read(FILE_CHUNK):
                yield piece
                if self.on_sent is not None:
                    self.on_sent(len(piece))

    def received(self, piece: bytes, response: httpx.Response) -> None:
        """Report a piece of the answer's body that was written."""
        if self.on_received is not None:
            length = response.headers.get("content-length", "")
            self.on_received(len(piece), int(length) if length.isdigit() else None)


@dataclass(frozen=True)
class Attempt:
    """Send the request once; the outcome is the response, whatever its status, or ``httpx.TransportError``."""

    request: Request


@dataclass(frozen=True)
class Pause:
    """Wait for so many seconds."""

    seconds: float


Step: TypeAlias = Request | Attempt | Pause
Flow: TypeAlias = Generator[Step, Any, T]
"""The outcome of a :class:`Request` is its successful response, or an :class:`InterlockError`."""


def attempts(request: Request, url: str, retries: int) -> Flow[httpx.Response]:
    """Send a request, again where that is safe and may help, and return its successful response.

    Whoever did not take the connection has not seen the request, so any may be sent again; else only what is
    repeatable. A ``Retry-After`` is kept to, as far as it is at most ``LONGEST_PAUSE``.
    """
    attempt = 0
    while True:
        pause = FIRST_PAUSE * 2**attempt * random.uniform(0.8, 1.2)  # noqa: S311 - so that clients do not come together
        failure: InterlockError
        try:
            response: httpx.Response = yield Attempt(request)
        except httpx.TransportError as error:
            failure = UnavailableError(f"nothing answers at {url} ({error})")
            failure.__cause__ = error
            again = request.repeatable or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        else:
            if response.is_success:
                return response
            failure = error_of(response)
            again = request.repeatable and response.status_code in RETRIED
            after = response.headers.get("retry-after", "")
            pause = float(after) if after.isdigit() else pause
        if not again or attempt >= retries or pause > LONGEST_PAUSE:
            raise failure
        yield Pause(pause)
        attempt += 1


def read(view: type[View], request: Request) -> Flow[View]:
    """Send a request and return its answer as ``view``."""
    return parsed(view, data((yield request)))


def data(response: httpx.Response) -> Any:
    """Return the data of an answer.

    Raises:
        InterlockError: it is no JSON, for instance a proxy's page.
    """
    try:
        return response.json()
    except ValueError as error:
        raise InterlockError(f"the answer of {response.url} is no JSON: {response.text[:200]!r}") from error


def parsed(view: type[View], found: Any) -> View:
    """Return the data of an answer as ``view``.

    Raises:
        InterlockError: it is something else, for instance of another release.
    """
    try:
        return view.model_validate(found)
    except ValidationError as error:
        raise InterlockError(
            f"the answer is no {view.__name__} as this release of the client knows it: {error}"
        ) from error


def get(view: type[View], path: str, /, **params: Any) -> Flow[View]:
    """Return one resource."""
    return (yield from read(view, Request("GET", path, without_none(params), repeatable=True)))


def find(view: type[View], path: str, /, **params: Any) -> Flow[View | None]:
    """Return one resource, None where the answer is 404."""
    try:
        return (yield from get(view, path, **params))
    except NotFoundError:
        return None


def get_list(view: type[View], path: str, /, **params: Any) -> Flow[Views[View]]:
    """Return a list of resources."""
    found = data((yield Request("GET", path, without_none(params), repeatable=True)))
    return Views(parsed(view, each) for each in found)


def get_pages(
    view: type[View], path: str, /, *, limit: int | None, cursor: str, value: Callable[[View], Any], **params: Any
) -> Flow[Views[View]]:
    """Return a list of ``limit`` resources in as many requests as that takes; without, as many as the service gives.

    ``value`` of a page's last resource is the query parameter ``cursor`` of the next. A page may be longer than asked
    where resources have the same value of it, so there may be a few more than ``limit``.
    """
    if limit is None:
        return (yield from get_list(view, path, **params))
    found = Views[View]()
    while len(found) < limit:
        asked = min(limit - len(found), PAGE)
        page = yield from get_list(view, path, **params, limit=asked)
        found.extend(page)
        if len(page) < asked:
            break
        params[cursor] = value(page[-1])
    return found


def post(path: str, body: Mapping[str, Any], /, *, idempotent: bool = False, key: str | None = None) -> Flow[Any]:
    """Post a JSON body and return the answer's data; fields without a value are left out.

    ``idempotent`` is for routes that know an ``Idempotency-Key``: the request gets ``key``, else one of its own, and
    may be sent again.
    """
    headers = {"Idempotency-Key": key or uuid4().hex} if idempotent else {}
    return data((yield Request("POST", path, headers=headers, json=without_none(body), repeatable=idempotent)))


def named(values: str | Sequence[str]) -> str | None:
    """Return one name or several as a query parameter has them; None where there are none."""
    return (values if isinstance(values, str) else ",".join(values)) or None


def moment(time: datetime | None) -> str | None:
    """Return a time as a query parameter has it; one without a zone is of this machine's."""
    if time is None:
        return None
    return (time if time.tzinfo else time.astimezone()).isoformat()


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are there."""
    return {name: value for name, value in values.items() if value is not None}
