"""Last known promotions of a host, which outlive its workers: what to serve while the registry is down.

``serving.json`` holds the newest promotion of each model that a worker here has applied. Whoever names an older one
later on, the registry included, has no effect. Bytes are verified as ever, and so are the registry's signatures, which
are kept with the promotions: an entry without a valid one does not count.
"""

import asyncio
import fcntl
import logging
from contextlib import suppress
from pathlib import Path

import msgspec
from interlock_artifacts.signing import SignatureVerifier, UntrustedPromotionError
from interlock_contracts.refs import ModelRef
from interlock_contracts.signature import PromotionSignature
from interlock_contracts.stages import PRODUCTION
from interlock_messaging.crash_points import crash_point
from interlock_serving.cache import write_whole
from interlock_serving.promotion import Promotion
from pydantic import ValidationError

logger = logging.getLogger(__name__)


class _Entry(msgspec.Struct):
    ref: dict[str, object]
    seq: int
    trace: str | None = None
    signed: dict[str, object] | None = None


class _Contents(msgspec.Struct):
    registry: str
    promotions: dict[str, _Entry] = {}


class PromotionCache:
    """The cache in ``folder``; promotions of another registry than the one at ``registry``, or stage, do not count."""

    def __init__(self, folder: Path, registry: str, trust: SignatureVerifier, stage: str = PRODUCTION) -> None:
        self._trust = trust
        self._stage = stage
        self._file = folder / "serving.json"
        self._lock = folder / ".serving.lock"
        self._registry = registry

    def promotions(self) -> list[Promotion]:
        """Return the newest promotion of each model; none where the file is damaged, or says what is not signed."""
        read = (self._verified(entry) for entry in self._read().promotions.values())
        return [promotion for promotion in read if promotion is not None]

    def _verified(self, entry: _Entry) -> Promotion | None:
        with suppress(ValidationError, UntrustedPromotionError):
            promotion = Promotion(
                ModelRef.model_validate(entry.ref),
                entry.seq,
                entry.trace,
                PromotionSignature.model_validate(entry.signed) if entry.signed else None,
                self._stage,
            )
            self._trust.check(promotion.ref, promotion.seq, promotion.signed, stage=self._stage)
            return promotion
        return None

    async def remember(self, promotion: Promotion) -> None:
        """:meth:`note` ``promotion``; a full disk is no reason not to serve, so it is only logged."""
        crash_point("gateway.swap.done")
        try:
            await asyncio.to_thread(self.note, promotion)
        except OSError as error:
            logger.warning("%s %d is not remembered: %s", promotion.ref.model, promotion.ref.version, error)
        crash_point("gateway.swap.remembered")

    def note(self, promotion: Promotion) -> None:
        """Remember ``promotion`` unless a newer one, or this very one, is known; blocks for a moment."""
        if self._contains(self._read(), promotion):
            return
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            contents = self._read()
            if not self._contains(contents, promotion):
                signed = promotion.signed.model_dump(mode="json") if promotion.signed else None
                entry = _Entry(promotion.ref.model_dump(mode="json"), promotion.seq, promotion.trace, signed)
                contents.promotions[promotion.ref.model] = entry
                write_whole(self._file, msgspec.json.encode(contents))

    async def forget(self, models: frozenset[str]) -> None:
        """:meth:`drop` these models, so that no later start serves them; a full disk is only logged."""
        try:
            await asyncio.to_thread(self.drop, models)
        except OSError as error:
            logger.warning("what is archived is not forgotten: %s", error)

    def drop(self, models: frozenset[str]) -> None:
        """Forget what is known of these models; blocks for a moment where something is."""
        if models.isdisjoint(self._read().promotions):
            return
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            contents = self._read()
            for model in models:
                contents.promotions.pop(model, None)
            write_whole(self._file, msgspec.json.encode(contents))

    def _read(self) -> _Contents:
        try:
            contents = msgspec.json.decode(self._file.read_bytes(), type=_Contents)
        except (FileNotFoundError, msgspec.DecodeError):
            return _Contents(self._registry)
        return contents if contents.registry == self._registry else _Contents(self._registry)

    def _contains(self, contents: _Contents, promotion: Promotion) -> bool:
        entry = contents.promotions.get(promotion.ref.model)
        known = self._verified(entry) if entry is not None else None
        if known is None or known.ref.model != promotion.ref.model:
            return False
        return known.seq > promotion.seq or (known.seq, known.signed) == (promotion.seq, promotion.signed)
