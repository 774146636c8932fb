"""What this host was told to serve, and what it was told not to hold: it outlives the workers.

``serving.json`` holds the newest promotion of each model that a worker here has followed. A gateway that starts while
the registry is down serves these; and whoever says an older one later on, the registry included, is not believed.
Bytes are verified as ever, and so are the registry's signatures, which are kept with the promotions: the file only says
which, and what is not signed in it is not there. ``unloaded/`` holds an empty file for each model that somebody
has asked this host to unload.
"""

import fcntl
from contextlib import suppress
from pathlib import Path

import msgspec
from interlock_artifacts.signing import SignatureVerifier, UntrustedPromotionError
from interlock_contracts.refs import ModelRef
from interlock_contracts.signature import PromotionSignature
from interlock_serving.cache import write_whole
from pydantic import ValidationError

from interlock_gateway.domain import Promotion


class _Entry(msgspec.Struct):
    ref: dict[str, object]
    seq: int
    trace: str | None = None
    signed: dict[str, object] | None = None


class _Contents(msgspec.Struct):
    registry: str
    promotions: dict[str, _Entry] = {}


class PromotionCache:
    """The ledger in ``folder``; what another registry than the one at ``registry`` said is void."""

    def __init__(self, folder: Path, registry: str, trust: SignatureVerifier) -> None:
        self._trust = trust
        self._file = folder / "serving.json"
        self._lock = folder / ".serving.lock"
        self._unloaded = folder / "unloaded"
        self._registry = registry

    def promotions(self) -> list[Promotion]:
        """Return the newest promotion of each model; none where the file is damaged, or says what is not signed."""
        read = (self._verified(told) for told in self._read().promotions.values())
        return [promotion for promotion in read if promotion is not None]

    def _verified(self, told: _Entry) -> Promotion | None:
        with suppress(ValidationError, UntrustedPromotionError):
            promotion = Promotion(
                ModelRef.model_validate(told.ref),
                told.seq,
                told.trace,
                PromotionSignature.model_validate(told.signed) if told.signed else None,
            )
            self._trust.check(promotion.ref, promotion.seq, promotion.signed)
            return promotion
        return None

    def note(self, promotion: Promotion) -> None:
        """Remember ``promotion`` unless a newer one, or this very one, is known; blocks for a moment."""
        if self._knows(self._read(), promotion):
            return
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            pages = self._read()
            if not self._knows(pages, promotion):
                signed = promotion.signed.model_dump(mode="json") if promotion.signed else None
                told = _Entry(promotion.ref.model_dump(mode="json"), promotion.seq, promotion.trace, signed)
                pages.promotions[promotion.ref.model] = told
                write_whole(self._file, msgspec.json.encode(pages))

    def unloaded(self) -> set[str]:
        """Return the models that this host is asked not to hold."""
        try:
            return {path.name for path in self._unloaded.iterdir()}
        except FileNotFoundError:  # the folder may be cleaned by whoever cleans temporary folders
            return set()

    def unload(self, model: str) -> None:
        """Ask all workers of this host not to hold ``model``; ``model`` is a valid name."""
        self._unloaded.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._unloaded / model).touch()

    def load(self, model: str) -> None:
        """Take that back."""
        (self._unloaded / model).unlink(missing_ok=True)

    def _read(self) -> _Contents:
        try:
            pages = msgspec.json.decode(self._file.read_bytes(), type=_Contents)
        except (FileNotFoundError, msgspec.DecodeError):
            return _Contents(self._registry)
        return pages if pages.registry == self._registry else _Contents(self._registry)

    def _knows(self, pages: _Contents, promotion: Promotion) -> bool:
        told = pages.promotions.get(promotion.ref.model)
        known = self._verified(told) if told is not None else None
        if known is None or known.ref.model != promotion.ref.model:
            return False
        return known.seq > promotion.seq or (known.seq, known.signed) == (promotion.seq, promotion.signed)
