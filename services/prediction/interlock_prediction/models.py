"""Which version answers, and its model in memory: what the registry says serves, loaded when it is first asked."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic

import httpx
from interlock_artifacts.signing import SignatureVerifier, UntrustedPromotionError
from interlock_contracts.http import ServingView
from interlock_contracts.refs import ModelRef
from interlock_contracts.signature import PromotionSignature
from interlock_modeling import Model
from interlock_serving.loading import Loader
from litestar.status_codes import HTTP_200_OK
from pydantic import SecretStr, TypeAdapter

logger = logging.getLogger(__name__)

ASK_SECONDS = 5.0
AGAIN_SECONDS = 10.0
"""How long a version that could not be loaded is answered for by the one before it, before the next try."""

_VIEWS = TypeAdapter(list[ServingView])

Tell = Callable[[ModelRef, int, str], Awaitable[bool]]
"""Says why a promoted version is not loaded; False where nobody could be told now."""


@dataclass(slots=True)
class Resident:
    """A version that is loaded, and when it was asked last."""

    version: int
    seq: int
    model: Model
    bytes: int
    used: float


class Registry:
    """What serves, as the registry tells it."""

    def __init__(self, url: str, key: SecretStr, client: httpx.AsyncClient) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key.get_secret_value()}"}
        self._client = client

    async def serving(self) -> list[ServingView]:
        """Return every promoted version with its promotion's number and signature.

        Raises:
            ConnectionError: the registry does not answer.
        """
        try:
            answer = await self._client.get(f"{self._url}/serving", headers=self._headers, timeout=ASK_SECONDS)
        except httpx.TransportError as error:
            raise ConnectionError(f"registry: {error!r}") from error
        if answer.status_code != HTTP_200_OK:
            raise ConnectionError(f"the registry answers {answer.status_code}")
        return _VIEWS.validate_json(answer.content)


class Models:
    """The models of one process, by name; those not asked longest go where ``memory`` bytes are not enough.

    Whoever tells of a promotion, ``trust`` decides whether it is believed; one that is not changes nothing.
    """

    def __init__(
        self, registry: Registry, loader: Loader, trust: SignatureVerifier, tell: Tell, *, memory: int
    ) -> None:
        self._registry = registry
        self._loader = loader
        self._trust = trust
        self._tell = tell
        self._told: dict[str, tuple[int, str]] = {}
        self._memory = memory
        self._promoted: dict[str, tuple[ModelRef, int]] = {}
        self._residents: dict[str, Resident] = {}
        self._failed: dict[str, tuple[int, float, Exception]] = {}
        self._turn = asyncio.Lock()
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="load")

    async def promoted(self, ref: ModelRef, seq: int, signed: PromotionSignature | None) -> None:
        """Remember what should serve, if the registry has signed it and nothing newer is known."""
        try:
            self._trust.check(ref, seq, signed)
        except UntrustedPromotionError as error:
            await self._not_loaded(ref, seq, error)
            return
        if ref.model not in self._promoted or seq > self._promoted[ref.model][1]:
            self._promoted[ref.model] = ref, seq

    async def reconcile(self) -> None:
        """Learn what serves from the registry; ConnectionError when it does not answer."""
        for view in await self._registry.serving():
            await self.promoted(view.ref, view.promotion_seq, view.signed)

    async def serving(self, name: str) -> Resident | None:
        """Return the promoted version of a model, loaded; None where nothing is promoted.

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
        found = self._residents.get(name)
        if found is None or found.seq < seq:
            async with self._turn:
                found = await self._newest(ref, seq)
        found.used = monotonic()
        return found

    async def _newest(self, ref: ModelRef, seq: int) -> Resident:
        before = self._residents.get(ref.model)
        if before is not None and before.seq >= seq:
            return before
        failed = self._failed.get(ref.model)
        if failed is None or failed[0] != seq or monotonic() > failed[1]:
            try:
                return await self._loaded(ref, seq)
            except Exception as error:
                await self._not_loaded(ref, seq, error)
                failed = seq, monotonic() + AGAIN_SECONDS, error
                if isinstance(error, ConnectionError | TimeoutError) and before is None:
                    raise
                self._failed[ref.model] = failed
        if before is None:
            raise failed[2]
        return before

    async def _loaded(self, ref: ModelRef, seq: int) -> Resident:
        loop = asyncio.get_running_loop()
        model = await loop.run_in_executor(self._threads, self._loader.load, ref)
        size = await loop.run_in_executor(self._threads, self._loader.size, ref)
        loaded = Resident(ref.version, seq, model, size, monotonic())
        self._residents[ref.model] = loaded
        self._make_room(ref.model)
        return loaded

    async def _not_loaded(self, ref: ModelRef, seq: int, error: Exception) -> None:
        """Say why, once for each reason."""
        told = seq, f"{type(error).__name__}: {error}"
        if self._told.get(ref.model) != told:
            logger.warning("%s %d is not loaded: %s", ref.model, ref.version, told[1])
            if await self._tell(ref, *told):
                self._told[ref.model] = told

    def _make_room(self, newest: str) -> None:
        """Forget what was not asked longest; the newest stays, however large it is."""
        used = sum(each.bytes for each in self._residents.values())
        for name in sorted(self._residents, key=lambda each: self._residents[each].used):
            if used <= self._memory:
                return
            if name != newest:
                used -= self._residents.pop(name).bytes

    def close(self) -> None:
        """Start no further load."""
        self._threads.shutdown(wait=False, cancel_futures=True)
