"""Open Inference Protocol, independent of transport: requests and responses."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from uuid import UUID, uuid4

import msgspec
import numpy as np
from interlock_modeling.answer import warned
from interlock_modeling.rows import RowWarning
from interlock_modeling.served import Predictions
from interlock_modeling.signature import ModelSignature
from interlock_runtime.clients import RegistryClient
from interlock_runtime.metrics import Ping
from interlock_runtime.problems import problem
from interlock_serving.manager import LoadFailedError, ModelManager
from interlock_serving.slot import Slot

from interlock_gateway.inference.resolve import (
    model_not_available,
    resolve_champion,
    resolve_model,
    table_predictions,
)
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.models.unload_requests import UnloadRequests
from interlock_gateway.observe.counts import Counting
from interlock_gateway.observe.metrics import UNKNOWN, Metrics
from interlock_gateway.observe.prediction_log import PredictionLog, Rows
from interlock_gateway.protocols.outputs import (
    LABELS,
    PREDICTION,
    PROBABILITIES,
    Output,
    key_output,
    output_names,
    output_of,
    prediction_type,
)
from interlock_gateway.protocols.tensors import DATATYPES, Tensor, TensorError, table_of

SERVER = "interlock"
EXTENSIONS = ("binary_tensor_data", "model_repository")
PLATFORM = "interlock"
INLINE_SIZE = 4096
"""Up to so many bytes or values are made columns in the event loop: a thread costs more than they do."""

READY = "READY"
UNAVAILABLE = "UNAVAILABLE"
WARNINGS = "warnings"
"""A parameter of the answer: the warnings about rows that `/predict` gives, as JSON in a text."""

MAX_WARNINGS = 100
WARNINGS_LEFT_OFF = "warnings_left_off"
"""A parameter of the answer: how many warnings there are beside the first ``MAX_WARNINGS``, as a text."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor as metadata describes it; -1 in ``shape`` is any number of rows."""

    name: str
    datatype: str
    shape: list[int]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Metadata of a model in the protocol: only the version that serves can be queried."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    properties: dict[str, str]


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A model in the repository's index: READY, or UNAVAILABLE and why."""

    name: str
    version: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Inferred:
    """An answer: what gave it, its outputs, its name in the prediction log, and parameters of the whole."""

    serving: BatchedModel
    outputs: list[Output]
    name: str
    parameters: dict[str, str]


class Inference:
    """Answers for every model of one worker; each of ``pings`` raises while the worker should get no requests."""

    def __init__(
        self,
        manager: ModelManager[BatchedModel],
        unload_requests: UnloadRequests,
        *,
        registry: RegistryClient,
        pings: Iterable[Ping],
        log: PredictionLog,
        metrics: Metrics,
    ) -> None:
        self._manager = manager
        self._unload_requests = unload_requests
        self._registry = registry
        self._pings = list(pings)
        self._log = log
        self._metrics = metrics

    async def ready(self) -> bool:
        """Return whether this worker has loaded what should serve."""
        try:
            for ping in self._pings:
                await ping()
        except (ConnectionError, TimeoutError):
            return False
        return True

    async def resolve(self, model: str, version: str | None = None) -> BatchedModel:
        """Choose what answers a request for ``model``; only the version that serves can be asked for.

        Raises:
            ProblemDetailsException: 404 or 503, with words, where there is nothing to ask.
        """
        return _wanted(model, version, await resolve_model(self._manager, self._registry, model))

    async def champion(self, model: str, version: str | None = None) -> BatchedModel:
        """Return the champion of ``model``, for its metadata and its readiness.

        Raises:
            ProblemDetailsException: as :meth:`resolve` does.
        """
        return _wanted(model, version, await resolve_champion(self._manager, self._registry, model))

    @contextmanager
    def counting(self, model: str, protocol: str) -> Iterator[Counting]:
        """Count the request that the block answers; it fills in the version and the rows."""
        known = self._manager.promotion(model) is not None
        with self._metrics.counting(model if known else UNKNOWN, protocol) as counting:
            yield counting

    async def infer(
        self,
        model: str,
        version: str | None,
        tensors: Sequence[Tensor],
        wanted: Sequence[str],
        *,
        request_id: str,
        counting: Counting,
    ) -> Inferred:
        """Return the outputs named in ``wanted``, or all of them; ``request_id`` may be empty.

        Raises:
            ProblemDetailsException: nothing serves, or too much waits.
            TensorError: tensors that do not fit the model.
        """
        serving = await self.resolve(model, version)
        counting.version = serving.version
        signature = serving.model.signature
        small = sum(len(tensor.data) for tensor in tensors) <= INLINE_SIZE
        table = table_of(signature, tensors) if small else await asyncio.to_thread(table_of, signature, tensors)
        given = {tensor.name for tensor in tensors}
        absent = [feature.name for feature in signature.features if feature.name not in given]
        predictions = await table_predictions(serving, table, absent)
        if not np.isfinite(predictions.scores).all():
            raise TensorError("numbers are too large for this model: it gives no finite answer")
        outputs = _outputs(signature, predictions, tensors, wanted)
        name = self.logged(model, serving, table, predictions, size=table.nbytes, request_id=request_id)
        counting.rows = table.num_rows
        return Inferred(serving, outputs, name, _parameters(predictions.warnings))

    def logged(
        self,
        model: str,
        serving: BatchedModel,
        rows: Rows,
        predictions: Predictions,
        *,
        size: int,
        request_id: str = "",
    ) -> str:
        """Offer an answer to the prediction log, and return its name there: the client's own id where it is a UUID.

        Any other id may be used twice, and then feedback could not tell which answer it means.
        """
        name = request_id if _is_uuid(request_id) else str(uuid4())
        scores = predictions.scores.tolist()
        self._metrics.note(model, serving.version, serving.model.signature, scores)
        self._log.record(model, serving, name, rows, scores, size)
        return name

    async def load(self, model: str) -> None:
        """Load ``model`` here, and let the other workers of this host hold it again.

        Raises:
            ProblemDetailsException: 404 or 503, with words, where that cannot be.
        """
        with suppress(ConnectionError, LoadFailedError):
            await self._unload_requests.load(model)
        await self.champion(model)

    async def unload(self, model: str) -> None:
        """Let no worker of this host hold ``model`` until its load is asked for.

        Raises:
            ProblemDetailsException: 404 or 503, with words, where nothing of that name is promoted here.
        """
        if not await self._unload_requests.unload(model):
            raise await model_not_available(model, self._registry)

    def index(self, *, ready: bool = False) -> list[IndexEntry]:
        """Return every model that this worker knows of, or only those that are loaded."""
        entries = [_indexed(slot) for slot in self._manager.slots()]
        return [each for each in entries if each.state == READY or not ready]


def _wanted(model: str, version: str | None, serving: BatchedModel) -> BatchedModel:
    if version and version != str(serving.version):
        detail = f"version {version} of {model!r} does not serve; {serving.version} does, leave the version out"
        raise problem(404, "Another version serves", detail)
    return serving


def _indexed(slot: Slot[BatchedModel]) -> IndexEntry:
    if slot.serving is not None:
        return IndexEntry(slot.model, str(slot.serving.version), READY, "")
    if slot.unloaded:
        return IndexEntry(slot.model, "", UNAVAILABLE, "unloaded by request")
    return IndexEntry(slot.model, "", UNAVAILABLE, slot.failure.reason if slot.failure else "loaded when it is asked")


def _outputs(
    signature: ModelSignature, predictions: Predictions, tensors: Sequence[Tensor], wanted: Sequence[str]
) -> list[Output]:
    """Return the wanted outputs; without a wish the model's, and then the columns of the key that were sent."""
    own = output_names(signature)
    keys = {tensor.name: tensor for tensor in tensors if tensor.name in signature.key and tensor.name not in own}
    rows = len(predictions.scores)
    return [
        key_output(keys[name], rows) if name in keys else output_of(signature, predictions, name)
        for name in wanted or [*own, *keys]
    ]


def _parameters(warnings: Sequence[RowWarning]) -> dict[str, str]:
    """Return the parameters of an answer; the first warnings alone, as clients limit the size of a message."""
    if not warnings:
        return {}
    parameters = {WARNINGS: msgspec.json.encode(warned(warnings[:MAX_WARNINGS])).decode()}
    left_off = len(warnings) - MAX_WARNINGS
    return parameters | {WARNINGS_LEFT_OFF: str(left_off)} if left_off > 0 else parameters


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def described(model: str, version: int, signature: ModelSignature) -> ModelInfo:
    inputs = [TensorInfo(each.name, DATATYPES[each.type], [-1]) for each in signature.features]
    outputs = [TensorInfo(PREDICTION, prediction_type(signature), [-1])]
    properties = {"task": signature.task, "target": signature.target}
    if signature.labels is not None:
        outputs.append(TensorInfo(PROBABILITIES, "FP64", [-1, len(signature.labels)]))
        properties[LABELS] = json.dumps(signature.labels, ensure_ascii=False)
    return ModelInfo(model, [str(version)], PLATFORM, inputs, outputs, properties)


def server_version() -> str:
    """Return which Interlock this is."""
    return metadata.version("interlock-gateway")
