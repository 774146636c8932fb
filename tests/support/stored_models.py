"""Small models in a store, each of which tells its version by its answers, and a bus that can be down."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from interlock_artifacts import ArtifactStore
from interlock_contracts.event import Event
from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_contracts.stages import PRODUCTION
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.models.last_known import PromotionCache
from interlock_gateway.models.status_events import StatusPublisher
from interlock_gateway.models.unload_requests import UnloadRequests
from interlock_modeling import Model, ModelDescription
from interlock_modeling.encoder import CategoryColumn, Encoder, NumericColumn, Scaled
from interlock_modeling.engines import Engine, LinearEngine
from interlock_modeling.served import EngineRef
from interlock_modeling.signature import Feature, ModelSignature
from interlock_serving.cache import Cache
from interlock_serving.eviction import ModelMemory
from interlock_serving.loading import BlockingLoader, Loader
from interlock_serving.manager import ModelManager
from interlock_serving.promotion import Promotion
from interlock_serving.smoke_test.check import check

from tests.support.signing import TRUST, signed

MANIFEST = ArtifactRef(sha256="0" * 64, bytes=1)

REGRESSION = ModelSignature(
    task="regression",
    target="price",
    target_type="number",
    features=[
        Feature(name="size", type="number", nullable=False, min=0, max=100),
        Feature(name="color", type="category", nullable=True, values=["red", "green"]),
    ],
)
CLASSIFICATION = REGRESSION.model_copy(update={"task": "classification", "target": "sold", "labels": [False, True]})

ENCODER = Encoder(
    columns=[
        NumericColumn(kind="number", name="size", numbers=[Scaled(fill=1.0)]),
        CategoryColumn(name="color", values=["red", "green"], fill="red"),
    ]
)
ROW = {"size": 3.0, "color": "green"}


def version_of(prediction: Any) -> int:
    """Return which version made a prediction for ``ROW``."""
    return int(prediction) // 1000


def put_model(
    store: ArtifactStore, version: int, *, model: str = "flights", intercept: float | None = None, **signature: Any
) -> ModelRef:
    """Store a regression whose answers are ``1000 * version + size``; ``signature`` changes that of its features."""
    start = 1000.0 * version if intercept is None else intercept
    engine = LinearEngine(np.array([[1.0, 0.0, 0.0]]), np.array([start]), "identity")
    return put(store, REGRESSION.model_copy(update=signature), engine, version=version, model=model)


def put_classifier(store: ArtifactStore, *, model: str = "flights", threshold: float | None = None) -> ModelRef:
    """Store a classification that says true for large sizes: from 2 on, unless there is a ``threshold``."""
    engine = LinearEngine(np.array([[1.0, 0.0, 0.0]]), np.array([-2.0]), "logistic")
    return put(store, CLASSIFICATION.model_copy(update={"threshold": threshold}), engine, model=model)


def put(store: ArtifactStore, signature: ModelSignature, engine: Engine, *, version: int = 1, model: str) -> ModelRef:
    """Store a model as the trainer does: the engine's file, and the description that names it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "engine"
        engine.save(file)
        ref = store.put_file(file)
    described = EngineRef(kind=engine.kind, version=engine.version, ref=ref)
    description = ModelDescription(signature=signature, encoder=ENCODER, engine=described)
    artifact = store.put(description.model_dump_json().encode())
    return ModelRef(model=model, version=version, artifact=artifact, manifest=MANIFEST)


def in_this_process(description: Path, engine: Path) -> None:
    """Try a model without the cost of a process; it must not be one that crashes."""
    check(Model.load(ModelDescription.parse(description.read_bytes()), engine))


def loader_in(store: ArtifactStore, folder: Path) -> Loader:
    """Return a loader over ``folder``."""
    return Loader(Cache(store, folder), in_this_process)


def promotion(version: int, *, seq: int | None = None, ref: ModelRef | None = None) -> Promotion:
    """Return a promotion of ``version``, by default under the sequence number of the same value."""
    plain = ModelRef(model="flights", version=version, artifact=MANIFEST, manifest=MANIFEST)
    number = version if seq is None else seq
    return Promotion(ref or plain, number, signed=signed(ref or plain, number))


class RecordingBus:
    """Keeps what is published with its cause; refuses while it is ``down``."""

    def __init__(self) -> None:
        self.published: list[tuple[Event, str]] = []
        self.down = False

    async def publish(self, event: Event, *, cause: str) -> None:
        if self.down:
            raise ConnectionError("RabbitMQ is down")
        self.published.append((event, cause))

    @property
    def types(self) -> list[str]:
        return [event.type for event, _ in self.published]


class Worker:
    """The models of one worker process, wired as the gateway does, with a loader and a bus of the test's own."""

    def __init__(
        self,
        name: str,
        loader: BlockingLoader,
        bus: "RecordingBus",
        folder: Path,
        *,
        memory: int = 1 << 30,
        stage: str = PRODUCTION,
    ) -> None:
        self.last_known = PromotionCache(folder, "http://registry", TRUST, stage)
        self.status = StatusPublisher(name, bus)
        self.manager = ModelManager(
            name,
            loader,
            TRUST,
            ModelMemory(memory, "INTERLOCK_GATEWAY_MODEL_MEMORY"),
            serve=BatchedModel.of,
            report=self.status.report,
            remember=self.last_known.remember,
            stage=stage,
        )
        self.unload_requests = UnloadRequests(folder, self.manager)

    def restored(self) -> list[Promotion]:
        """Start with what this host served last."""
        known = self.last_known.promotions()
        self.manager.restore(known)
        return known

    def loaded(self) -> dict[str, int]:
        return {slot.model: slot.serving.version for slot in self.manager.slots() if slot.serving}
