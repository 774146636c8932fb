"""The client that waits: for scripts, notebooks and the command line."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
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


def blocking(operation: Callable[P, Flow[T]]) -> "Callable[Concatenate[Client, P], T]":
    """Return an operation as a method that performs it."""

    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.perform(operation(*args, **kwargs))

    described(method, operation)
    return method


class Client(Connection):
    """A connection to the gateway, and to the console for events; close it, or use it as a context manager.

    Every operation raises an ``InterlockError`` where it fails, ``UnavailableError`` where trying again may help.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        console_url: str | None = None,
        retries: int = 2,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Take addresses and key as given, else from the environment.

        The variables are ``INTERLOCK_GATEWAY_URL``, ``INTERLOCK_API_KEY`` and, for events, ``INTERLOCK_CONSOLE_URL``;
        of ``NAME_FILE`` the file's content is taken. A request is sent again up to ``retries`` times, where that is
        safe. ``transport`` is httpx's, for tests and proxies.

        Raises:
            NotConfiguredError: the gateway's address is nowhere.
        """
        found = find_settings(url, key, console_url=console_url, retries=retries, environment=environment())
        super().__init__(found)
        self._http = httpx.Client(headers=self._headers, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    apply = blocking(operations.pipelines.apply)
    pipelines = blocking(operations.pipelines.pipelines)
    pipeline = blocking(operations.pipelines.pipeline)

    ingest = blocking(operations.datasets.ingest)
    upload = blocking(operations.datasets.upload)
    checked = blocking(operations.datasets.checked)
    datasets = blocking(operations.datasets.datasets)
    dataset = blocking(operations.datasets.dataset)
    delete_dataset = blocking(operations.datasets.delete_dataset)

    retrain = blocking(operations.runs.retrain)
    import_model = blocking(operations.imports.import_model)
    wait = blocking(operations.runs.wait)
    runs = blocking(operations.runs.runs)
    run = blocking(operations.runs.run)
    logs = blocking(operations.runs.logs)
    newest_run = blocking(operations.runs.newest_run)
    cancel = blocking(operations.runs.cancel)
    promoted = blocking(operations.runs.promoted)

    models = blocking(operations.models.models)
    model = blocking(operations.models.model)
    versions = blocking(operations.models.versions)
    promotions = blocking(operations.models.promotions)
    ledger = blocking(operations.models.ledger)
    version = blocking(operations.models.version)
    describe = blocking(operations.models.describe)
    archive = blocking(operations.models.archive)
    delete_model = blocking(operations.models.delete_model)
    delete_version = blocking(operations.models.delete_version)
    compare = blocking(operations.models.compare)
    approve = blocking(operations.models.approve)
    promote = blocking(operations.models.promote)
    rollback = blocking(operations.models.rollback)
    rollout = blocking(operations.models.rollout)
    converged = blocking(operations.models.converged)
    export = blocking(operations.exports.export)

    answers = blocking(operations.predictions.answers)
    predict_later = blocking(operations.later.predict_later)
    answered = blocking(operations.later.answered)
    cancel_prediction = blocking(operations.later.cancel_prediction)
    predict_file = blocking(operations.files.predict_file)
    submit_file = blocking(operations.files.submit_file)
    file_predicted = blocking(operations.files.file_predicted)
    fetch_answers = blocking(operations.files.fetch_answers)
    feedback = blocking(operations.quality.feedback)
    quality = blocking(operations.quality.quality)
    erase = blocking(operations.quality.erase)
    events = blocking(operations.events.events)

    get = blocking(flows.get)
    find = blocking(flows.find)
    list = blocking(flows.get_list)
    post = blocking(flows.post)

    @overload
    def predict(self, model: str, rows: Iterable[Row]) -> Views[Prediction]: ...
    @overload
    def predict(self, model: str, rows: F) -> F: ...
    def predict(self, model: str, rows: Any) -> Any:
        """Predict rows, or a frame of pandas or polars: of it a frame with the same index comes back.

        Its columns are ``prediction``, for a classification ``probability_<label>`` of each label, ``model_version``
        and ``prediction_id``, by which ``feedback`` takes the ground truth. As many requests are sent as needed.
        """
        if is_frame(rows):
            return self.perform(operations.predictions.predict_frame(model, rows))
        return self.perform(operations.predictions.predict_rows(model, rows))

    def live_events(
        self,
        types: str | Iterable[str] = (),
        *,
        model: str | None = None,
        run: UUID | str | None = None,
        notice: Callable[[str], object] | None = None,
    ) -> Iterator[EventView]:
        """Yield events as they are published, for ever; a broken stream is resumed where it broke.

        ``notice`` is called when the connection is made anew, or ephemeral events were left out.
        """
        events = EventStream(types, model=model, run=run, notice=notice)
        while True:
            try:
                with self.stream(events.request()) as response:
                    events.opened()
                    for line in response.iter_lines():
                        yield from events.feed(line)
            except UnavailableError:
                if not events.broke():
                    raise
            time.sleep(RECONNECT_SECONDS)

    def request(self, request: Request) -> httpx.Response:
        """Send one request, again where that is safe, and return its successful answer."""
        return self.perform(attempts(request, self._base(request), self._settings.retries))

    @contextmanager
    def stream(self, request: Request) -> Iterator[httpx.Response]:
        """Yield a successful answer whose body is still to come."""
        try:
            with self._http.stream(**self._options(request)) as response:
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                yield response
        except httpx.TransportError as error:
            raise UnavailableError(f"the response of {self._base(request)} was interrupted ({error})") from error

    def perform(self, flow: Flow[T]) -> T:
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
                    outcome = self._outcome(step)
                except EXPECTED as error:
                    outcome = error

    def _outcome(self, step: Step) -> httpx.Response | None:
        match step:
            case Pause(seconds):
                time.sleep(seconds)
                return None
            case Request():
                return self.request(step)
            case Attempt(request) if request.into is not None:
                return self._received(request, request.into)
            case Attempt(request):
                options = self._options(request)
                return self._http.request(**options | ({"content": request.pieces()} if request.file else {}))

    def _received(self, request: Request, into: Path) -> httpx.Response:
        with self._http.stream(**self._options(request)) as response:
            if not response.is_success:
                response.read()
                return response
            with into.open("wb") as target:
                for piece in response.iter_bytes(flows.FILE_CHUNK):
                    target.write(piece)
                    request.received(piece, response)
        return response
