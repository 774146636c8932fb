"""What this host was told to serve, and what it was told not to hold: it outlives the workers.

``serving.json`` holds the newest promotion of each model that a worker here has followed. A gateway that starts while
the registry is down serves these; and whoever says an older one later on, the registry included, is not believed.
Bytes are verified as ever: the file only says which. ``unloaded/`` holds an empty file for each model that somebody
has asked this host to unload.
"""

import fcntl
from pathlib import Path

import msgspec
from interlock_contracts.refs import ModelRef
from interlock_serving.cache import write_whole
from pydantic import ValidationError

from interlock_gateway.domain import Promotion


class _Told(msgspec.Struct):
    ref: dict[str, object]
    seq: int
    trace: str | None = None


class _Pages(msgspec.Struct):
    registry: str
    promotions: dict[str, _Told] = {}


class Ledger:
    """The ledger in ``folder``; what another registry than the one at ``registry`` said is void."""

    def __init__(self, folder: Path, registry: str) -> None:
        self._file = folder / "serving.json"
        self._lock = folder / ".serving.lock"
        self._unloaded = folder / "unloaded"
        self._registry = registry

    def promotions(self) -> list[Promotion]:
        """Return the newest promotion of each model; none where the file is damaged."""
        found = []
        for told in self._read().promotions.values():
            try:
                found.append(Promotion(ModelRef.model_validate(told.ref), told.seq, told.trace))
            except ValidationError:
                continue
        return found

    def note(self, promotion: Promotion) -> None:
        """Remember ``promotion`` unless an equal or newer one is known; blocks for a moment."""
        if self._knows(self._read(), promotion):
            return
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            pages = self._read()
            if not self._knows(pages, promotion):
                told = _Told(promotion.ref.model_dump(mode="json"), promotion.seq, promotion.trace)
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

    def _read(self) -> _Pages:
        try:
            pages = msgspec.json.decode(self._file.read_bytes(), type=_Pages)
        except (FileNotFoundError, msgspec.DecodeError):
            return _Pages(self._registry)
        return pages if pages.registry == self._registry else _Pages(self._registry)

    @staticmethod
    def _knows(pages: _Pages, promotion: Promotion) -> bool:
        told = pages.promotions.get(promotion.ref.model)
        return told is not None and told.seq >= promotion.seq
