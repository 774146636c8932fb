"""The client for asyncio: the same operations, awaited."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, overload
from uuid import UUID

import httpx
from interlock_contracts.console import EventView

from interlock_client import flows, operations
from interlock_client.connection import EXPECTED, Connection, Outcome, advance, described
from interlock_client.errors import UnavailableError, error_of
from interlock_client.flows import Attempt, Flow, Pause, Request, Step, T, attempts
from interlock_client.frames import F, Row
from interlock_client.operations.events import RECONNECT_SECONDS, EventStream
from interlock_client.operations.predictions import Prediction, is_frame
from interlock_client.settings import environment, find_settings
from interlock_client.views import Views

P = ParamSpec("P")


def awaited(operation: Callable[P, Flow[T]]) -> "Callable[Concatenate[AsyncClient, P], Awaitable[T]]":
    """Return an operation as a method that performs it, awaited."""

    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.perform(operation(*args, **kwargs))

    described(method, operation)
    return method


class AsyncClient(Connection):
    """What ``Client`` is, for asyncio: every operation is awaited.

    Files are read, and frames turned into rows, in the event loop's own thread.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        console_url: str | None = None,
        retries: int = 2,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Take addresses and key as ``Client`` does."""
        found = find_settings(url, key, console_url=console_url, retries=retries, environment=environment())
        super().__init__(found)
        self._http = httpx.AsyncClient(headers=self._headers, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    apply = awaited(operations.pipelines.apply)
    pipelines = awaited(operations.pipelines.pipelines)
    pipeline = awaited(operations.pipelines.pipeline)

    ingest = awaited(operations.datasets.ingest)
    upload = awaited(operations.datasets.upload)
    checked = awaited(operations.datasets.checked)
    datasets = awaited(operations.datasets.datasets)
    dataset = awaited(operations.datasets.dataset)
    delete_dataset = awaited(operations.datasets.delete_dataset)

    retrain = awaited(operations.runs.retrain)
    import_model = awaited(operations.imports.import_model)
    wait = awaited(operations.runs.wait)
    runs = awaited(operations.runs.runs)
    run = awaited(operations.runs.run)
    logs = awaited(operations.runs.logs)
    newest_run = awaited(operations.runs.newest_run)
    cancel = awaited(operations.runs.cancel)
    promoted = awaited(operations.runs.promoted)

    models = awaited(operations.models.models)
    model = awaited(operations.models.model)
    versions = awaited(operations.models.versions)
    promotions = awaited(operations.models.promotions)
    ledger = awaited(operations.models.ledger)
    version = awaited(operations.models.version)
    describe = awaited(operations.models.describe)
    archive = awaited(operations.models.archive)
    delete_model = awaited(operations.models.delete_model)
    delete_version = awaited(operations.models.delete_version)
    compare = awaited(operations.models.compare)
    approve = awaited(operations.models.approve)
    promote = awaited(operations.models.promote)
    rollback = awaited(operations.models.rollback)
    rollout = awaited(operations.models.rollout)
    converged = awaited(operations.models.converged)
    export = awaited(operations.exports.export)

    answers = awaited(operations.predictions.answers)
    predict_later = awaited(operations.later.predict_later)
    answered = awaited(operations.later.answered)
    cancel_prediction = awaited(operations.later.cancel_prediction)
    predict_file = awaited(operations.files.predict_file)
    submit_file = awaited(operations.files.submit_file)
    file_predicted = awaited(operations.files.file_predicted)
    fetch_answers = awaited(operations.files.fetch_answers)
    feedback = awaited(operations.quality.feedback)
    quality = awaited(operations.quality.quality)
    erase = awaited(operations.quality.erase)
    events = awaited(operations.events.events)

    get = awaited(flows.get)
    find = awaited(flows.find)
    list = awaited(flows.get_list)
    post = awaited(flows.post)

    @overload
    async def predict(self, model: str, rows: Iterable[Row]) -> Views[Prediction]: ...
    @overload
    async def predict(self, model: str, rows: F) -> F: ...
    async def predict(self, model: str, rows: Any) -> Any:
        """Predict rows, or a frame of pandas or polars, as ``Client.predict`` does."""
        if is_frame(rows):
            return await self.perform(operations.predictions.predict_frame(model, rows))
        return await self.perform(operations.predictions.predict_rows(model, rows))

    async def live_events(
        self,
        types: str | Iterable[str] = (),
        *,
        model: str | None = None,
        run: UUID | str | None = None,
        notice: Callable[[str], object] | None = None,
    ) -> AsyncIterator[EventView]:
        """Yield events as they are published, for ever; a broken stream is resumed where it broke.

        ``notice`` is called when the connection is made anew, or ephemeral events were left out.
        """
        events = EventStream(types, model=model, run=run, notice=notice)
        while True:
            try:
                async with self.stream(events.request()) as response:
                    events.opened()
                    async for line in response.aiter_lines():
                        for event in events.feed(line):
                            yield event
            except UnavailableError:
                if not events.broke():
                    raise
            await asyncio.sleep(RECONNECT_SECONDS)

    async def request(self, request: Request) -> httpx.Response:
        """Send one request, again where that is safe, and return its successful answer."""
        return await self.perform(attempts(request, self._base(request), self._settings.retries))

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[httpx.Response]:
        """Yield a successful answer whose body is still to come."""
        try:
            async with self._http.stream(**self._options(request)) as response:
                if not response.is_success:
                    await response.aread()
                    raise error_of(response)
                yield response
        except httpx.TransportError as error:
            raise UnavailableError(f"the response of {self._base(request)} was interrupted ({error})") from error

    async def perform(self, flow: Flow[T]) -> T:
        """Perform a flow's steps and return its result."""
        outcome: Outcome = None
        with closing(flow):  # also when it is interrupted, so that it cleans up at once
            while True:
                try:
                    step = advance(flow, outcome)
                except StopIteration as ended:
                    result: T = ended.value
                    return result
                try:
                    outcome = await self._outcome(step)
                except EXPECTED as error:
                    outcome = error

    async def _outcome(self, step: Step) -> httpx.Response | None:
        match step:
            case Pause(seconds):
                await asyncio.sleep(seconds)
                return None
            case Request():
                return await self.request(step)
            case Attempt(request) if request.into is not None:
                return await self._received(request, request.into)
            case Attempt(request):
                options = self._options(request)
                return await self._http.request(**options | ({"content": _pieces(request)} if request.file else {}))

    async def _received(self, request: Request, into: Path) -> httpx.Response:
        async with self._http.stream(**self._options(request)) as response:
            if not response.is_success:
                await response.aread()
                return response
            with into.open("wb") as target:
                async for piece in response.aiter_bytes(flows.FILE_CHUNK):
                    target.write(piece)
                    request.received(piece, response)
        return response


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    for piece in request.pieces():
        yield piece
