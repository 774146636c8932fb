"""Unload requests: all workers of a host unload a model that one of them was asked to unload, restarts included.

The folder ``unloaded/`` of the host's cache holds an empty file for each such model.
"""

import asyncio
from pathlib import Path

from interlock_serving.manager import ModelManager

from interlock_gateway.models.batcher import BatchedModel

POLL_SECONDS = 0.25
"""How often a worker checks whether its host was asked, maybe through another worker, to unload or load a model."""


class UnloadRequests:
    """The requests of this host, applied to one worker's ``manager``."""

    def __init__(self, folder: Path, manager: ModelManager[BatchedModel]) -> None:
        self._folder = folder / "unloaded"
        self._manager = manager
        self._apply()

    async def unload(self, model: str) -> bool:
        """Unload ``model`` in all workers of this host until its load is requested; False where nothing is promoted.

        A newer version is only noted meanwhile. Returns once the other workers have had time to do so.
        """
        if self._manager.promotion(model) is None:
            return False
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / model).touch()
        await self._applied_everywhere()
        return True

    async def load(self, model: str) -> BatchedModel | None:
        """Take an :meth:`unload` back in all workers of this host, and load ``model`` in this one.

        Raises:
            LoadFailedError, ConnectionError: as :meth:`ModelManager.load_champion` does.
        """
        if self._manager.promotion(model) is not None:
            (self._folder / model).unlink(missing_ok=True)
            await self._applied_everywhere()
        return await self._manager.load_champion(model)

    async def apply(self) -> None:
        """Unload what this host was asked to unload."""
        self._apply()

    async def _applied_everywhere(self) -> None:
        self._apply()
        await asyncio.sleep(2 * POLL_SECONDS)

    def _apply(self) -> None:
        try:
            models = frozenset(path.name for path in self._folder.iterdir())
        except FileNotFoundError:  # the folder may be cleaned by whoever cleans temporary folders
            models = frozenset()
        self._manager.set_unloaded(models)
