"""Model manager of one replica: applies promotions, loads models on demand, evicts the least recently used."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic

from interlock_artifacts.signing import SignatureVerifier, UntrustedPromotionError
from interlock_contracts.refs import ModelRef
from interlock_contracts.signature import PromotionSignature
from interlock_modeling import Model
from interlock_serving.loading import Loader

from interlock_prediction.clients import RegistryClient

logger = logging.getLogger(__name__)

LOAD_BACKOFF_SECONDS = 10.0
"""How long after a failed load the next is tried; meanwhile the previous version answers."""

ReportLoadFailure = Callable[[ModelRef, int, str], Awaitable[bool]]
"""Publishes why a promoted version is not loaded; False where the broker is away, so that it is tried again."""


@dataclass(slots=True)
class ServedModel:
    """A loaded version, its size in ``bytes``, and the monotonic time of its last use."""

    version: int
    promotion_seq: int
    model: Model
    bytes: int
    used: float


class ModelManager:
    """The models of one process, by name, with LRU eviction beyond ``memory`` bytes.

    Wherever a promotion comes from, ``trust`` verifies its signature; one that is not the registry's changes nothing.
    """

    def __init__(
        self,
        registry: RegistryClient,
        loader: Loader,
        trust: SignatureVerifier,
        report_load_failure: ReportLoadFailure,
        *,
        memory: int,
    ) -> None:
        self._registry = registry
        self._loader = loader
        self._trust = trust
        self._report_load_failure = report_load_failure
        self._reported: dict[str, tuple[int, str]] = {}
        self._memory = memory
        self._promoted: dict[str, tuple[ModelRef, int]] = {}
        self._loaded_models: dict[str, ServedModel] = {}
        self._failed: dict[str, tuple[int, float, Exception]] = {}
        self._load_lock = asyncio.Lock()
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="load")

    async def apply_promotion(self, ref: ModelRef, seq: int, signed: PromotionSignature | None) -> None:
        """Note the version to serve, if its signature is valid and nothing newer is known; it is loaded on demand."""
        try:
            self._trust.check(ref, seq, signed)
        except UntrustedPromotionError as error:
            await self._report(ref, seq, error)
            return
        if ref.model not in self._promoted or seq > self._promoted[ref.model][1]:
            self._promoted[ref.model] = ref, seq

    async def reconcile(self) -> None:
        """Apply every promotion of the registry (reconciliation); ConnectionError when it does not answer."""
        for view in await self._registry.serving():
            await self.apply_promotion(view.ref, view.promotion_seq, view.signed)

    async def get_or_load(self, name: str) -> ServedModel | None:
        """Return the promoted version of a model, loaded if need be; None where nothing is promoted.

        A newer version that cannot be loaded leaves the one before it in place.

        Raises:
            ConnectionError: the registry or the object store is down, and is needed.
            CorruptArtifactError, MissingArtifactError, ModelFormatError, RefusedModelError, InvalidRowsError: the only
                version there is cannot be loaded.
        """
        if name not in self._promoted:
            await self.reconcile()
        if name not in self._promoted:
            return None
        ref, seq = self._promoted[name]
        found = self._loaded_models.get(name)
        if found is None or found.promotion_seq < seq:
            async with self._load_lock:
                found = await self._load_newest(ref, seq)
        found.used = monotonic()
        return found

    async def _load_newest(self, ref: ModelRef, seq: int) -> ServedModel:
        before = self._loaded_models.get(ref.model)
        if before is not None and before.promotion_seq >= seq:
            return before
        failed = self._failed.get(ref.model)
        if failed is None or failed[0] != seq or monotonic() > failed[1]:
            try:
                return await self._load(ref, seq)
            except Exception as error:
                await self._report(ref, seq, error)
                failed = seq, monotonic() + LOAD_BACKOFF_SECONDS, error
                if isinstance(error, ConnectionError | TimeoutError) and before is None:
                    raise
                self._failed[ref.model] = failed
        if before is None:
            raise failed[2]
        return before

    async def _load(self, ref: ModelRef, seq: int) -> ServedModel:
        loop = asyncio.get_running_loop()
        model = await loop.run_in_executor(self._threads, self._loader.load, ref)
        size = await loop.run_in_executor(self._threads, self._loader.size, ref)
        loaded = ServedModel(ref.version, seq, model, size, monotonic())
        self._loaded_models[ref.model] = loaded
        self._evict(keep=ref.model)
        return loaded

    async def _report(self, ref: ModelRef, seq: int, error: Exception) -> None:
        """Log and publish why a version is not loaded, once for each reason."""
        reason = seq, f"{type(error).__name__}: {error}"
        if self._reported.get(ref.model) != reason:
            logger.warning("%s %d is not loaded: %s", ref.model, ref.version, reason[1])
            if await self._report_load_failure(ref, *reason):
                self._reported[ref.model] = reason

    def _evict(self, *, keep: str) -> None:
        """LRU eviction down to the memory limit; ``keep``, just loaded, stays however large it is."""
        used = sum(each.bytes for each in self._loaded_models.values())
        for name in sorted(self._loaded_models, key=lambda each: self._loaded_models[each].used):
            if used <= self._memory:
                return
            if name != keep:
                used -= self._loaded_models.pop(name).bytes

    def close(self) -> None:
        """Start no further load."""
        self._threads.shutdown(wait=False, cancel_futures=True)
