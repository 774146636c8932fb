"""Model manager of one process: applies promotions, loads models on demand, evicts the least recently used."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Generic

from interlock_artifacts.signing import SignatureVerifier, UntrustedPromotionError
from interlock_contracts import telemetry
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.rollout import HeldModel
from interlock_contracts.stages import PRODUCTION
from interlock_modeling import Model
from opentelemetry import context, trace
from opentelemetry.trace import Status, StatusCode

from interlock_serving.eviction import ModelMemory
from interlock_serving.load_backoff import LoadFailure
from interlock_serving.loading import BlockingLoader, ThreadedLoader
from interlock_serving.promotion import Promotion, attached
from interlock_serving.slot import Outcome, S, Slot

logger = logging.getLogger(__name__)
_tracer = trace.get_tracer("interlock.serving")


class LoadFailedError(Exception):
    """A model should serve, and cannot be loaded; the text says why."""


@dataclass(frozen=True, slots=True)
class LoadReport(Generic[S]):
    """What came of a promotion: it serves, its load failed, or it is not the registry's.

    ``seconds`` is the time from the start of the load to the end of the swap; ``cause`` the causation id.
    """

    promotion: Promotion
    outcome: Outcome[S] | UntrustedPromotionError
    seconds: float
    cause: str


class ModelManager(Generic[S]):
    """The slots of one process, by model.

    Wherever a promotion comes from, ``verifier`` checks its signature; one that is not the registry's has no effect
    but a report, and one to another stage than ``stage`` none at all. ``serve`` makes of a loaded model what requests
    are given. ``report`` is awaited after each load, in the trace of the promotion; ``remember`` with each promotion
    that is to outlive the process.
    """

    def __init__(
        self,
        process: str,
        loader: BlockingLoader,
        verifier: SignatureVerifier,
        memory: ModelMemory,
        *,
        serve: Callable[[Promotion, Model], S],
        report: Callable[[LoadReport[S]], Awaitable[None]],
        remember: Callable[[Promotion], Awaitable[None]] | None = None,
        stage: str = PRODUCTION,
    ) -> None:
        self.process = process
        self.stage = stage
        self._loader = ThreadedLoader(loader)
        self._verifier = verifier
        self._memory = memory
        self._serve = serve
        self._report = report
        self._remember = remember
        self._slots: dict[str, Slot[S]] = {}
        self._unloaded: frozenset[str] = frozenset()

    def choose_version(self, model: str) -> S | None:
        """Choose the version that answers a request for ``model``, and count it as used; None where none is loaded.

        The one place of this choice, whatever the protocol: every answered request comes by here once, also by
        :meth:`get_or_load`. Today it is the champion; a canary or a bandit chooses here among what the slot has loaded.
        Whole files are not asked for here: the champion of the moment they come in answers all of one.
        """
        slot = self._slots.get(model)
        return slot.use() if slot is not None else None

    def champion(self, model: str) -> S | None:
        """Return the champion of ``model``, whose signature describes it; None where it is not loaded.

        Nothing is chosen, and it does not count as used.
        """
        slot = self._slots.get(model)
        return slot.serving if slot is not None else None

    def slots(self) -> Iterator[Slot[S]]:
        """Iterate over the models of which this process knows a promotion."""
        return iter(self._slots.values())

    def promotion(self, model: str) -> Promotion | None:
        """Return the newest promotion of ``model`` that is known."""
        slot = self._slots.get(model)
        return slot.promotion if slot is not None else None

    def held(self) -> list[HeldModel]:
        """Return what this process knows and has loaded of each model."""
        return [slot.held() for slot in self._slots.values() if slot.promotion is not None]

    async def get_or_load(self, model: str, *, newest: bool = False) -> S | None:
        """Choose the version that answers a request for ``model``, loaded now if need be; None where none is promoted.

        Raises:
            LoadFailedError, ConnectionError: as :meth:`load_champion` does.
        """
        loaded = await self.load_champion(model, newest=newest)
        return self.choose_version(model) if loaded is not None else None

    async def load_champion(self, model: str, *, newest: bool = False) -> S | None:
        """Return the champion of ``model``, loaded now if need be; None where nothing is promoted.

        With ``newest`` a version that serves is replaced first where a newer one is promoted; it serves on where that
        one cannot be loaded, and not each request tries again. LRU eviction: where memory is short, the models used
        least recently go.

        Raises:
            LoadFailedError: the version is refused, or the model was unloaded by request; the text says which.
            ConnectionError: a dependency is down, or memory is short this moment.
        """
        slot = self._slots.get(model)
        if slot is None or slot.promotion is None:
            return None
        if slot.unloaded:
            raise LoadFailedError(f"{model!r} was unloaded by request; ask for its load first")
        promotion = slot.promotion
        if slot.serving is None or (newest and slot.should_replace(promotion)):
            with attached(promotion.trace_context):
                await self._load(slot, promotion, slot.load_newest(replace=newest), cause=promotion.cause)
        if slot.serving is not None:
            return slot.serving
        if slot.failure is not None:
            raise (ConnectionError if slot.failure.outage else LoadFailedError)(slot.failure.reason)
        raise ConnectionError(f"memory is short while other models are loaded; {model!r} waits")

    async def apply_promotion(self, promotion: Promotion, *, cause: str) -> None:
        """Load ``promotion`` and swap it in if it is the registry's, unless an equal or newer one serves.

        A model that is not loaded is loaded only where that evicts no other; else the first request for it loads it.
        Raises nothing; ``cause`` is the causation id of what is reported.
        """
        if (slot := await self._verified_slot(promotion, cause)) is None:
            return
        refreshed = slot.refresh_signature(promotion)
        if slot.should_load(promotion) and not slot.lacks_memory(promotion):
            await self._load(slot, promotion, slot.swap(promotion), cause=cause)
        elif refreshed and self._remember is not None:
            await self._remember(promotion)

    async def note_promotion(self, promotion: Promotion, *, cause: str) -> None:
        """Remember ``promotion`` as what should serve if it is the registry's; the next request loads it."""
        if (slot := await self._verified_slot(promotion, cause)) is not None:
            slot.refresh_signature(promotion)
            slot.note(promotion)

    def knows(self, artifact: ArtifactRef) -> bool:
        """Return whether a version that should serve here consists of these bytes."""
        promotions = (slot.promotion for slot in self._slots.values())
        return any(each is not None and each.ref.artifact.sha256 == artifact.sha256 for each in promotions)

    def restore(self, promotions: list[Promotion]) -> None:
        """Note promotions that were verified before; nothing older will be applied from now on."""
        for promotion in promotions:
            self._slot(promotion.ref.model).note(promotion)

    def withdraw(self, model: str) -> None:
        """Serve ``model`` no longer, and know of no promotion of it; requests that have it finish with it."""
        if (slot := self._slots.pop(model, None)) is not None:
            slot.drop()
            logger.info("%s is archived, deleted or out of its stage, and serves no longer", model)

    def set_unloaded(self, models: frozenset[str]) -> None:
        """Unload these models, and none of them is loaded until it is left out here."""
        self._unloaded = models
        for slot in self._slots.values():
            slot.unloaded = slot.model in models
            if slot.unloaded and slot.serving is not None:
                slot.drop()
                logger.info("%s is unloaded by request", slot.model)

    def close(self) -> None:
        """Start no further load."""
        self._loader.close()

    def _slot(self, model: str) -> Slot[S]:
        if model not in self._slots:
            self._slots[model] = Slot(model, self._loader, self._memory, self._serve)
            self._slots[model].unloaded = model in self._unloaded
        return self._slots[model]

    async def _verified_slot(self, promotion: Promotion, cause: str) -> Slot[S] | None:
        if promotion.stage != self.stage:
            return None
        try:
            self._verifier.check(promotion.ref, promotion.seq, promotion.signed, stage=self.stage)
        except UntrustedPromotionError as error:
            await self._report(LoadReport(promotion, error, 0.0, cause))
            return None
        return self._slot(promotion.ref.model)

    async def _load(
        self, slot: Slot[S], promotion: Promotion, load: Awaitable[list[Outcome[S]]], *, cause: str
    ) -> None:
        """Let the slot load, and report how it went."""
        start = monotonic()
        with _tracer.start_as_current_span(telemetry.SPAN_SWAP, attributes=promotion.described(self.process)) as span:
            outcomes = await load
            seconds = monotonic() - start
            for outcome in outcomes:
                if isinstance(outcome, LoadFailure):
                    span.set_attribute(telemetry.TASK_RESULT, "error")
                    span.set_status(Status(StatusCode.ERROR, outcome.reason))
                else:
                    span.set_attribute(telemetry.TASK_RESULT, "success")
            in_span = context.get_current()
        if self._remember is not None and slot.promotion is not None and slot.failure is None:
            await self._remember(slot.promotion)
        with attached(in_span):
            for outcome in outcomes:
                await self._report(LoadReport(outcome.promotion, outcome, seconds, cause))
