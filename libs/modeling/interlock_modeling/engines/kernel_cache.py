"""Compiled kernels in an image: numba's cache beside the source, which nobody may write to.

numba asks each of its own locators whether the folder can be written to, and without one that can it compiles anew in
every process. An image names this class in ``NUMBA_CACHE_LOCATOR_CLASSES``; numba checks by the source's hash that the
code there was compiled from it.
"""

from pathlib import Path

from numba.core.caching import InTreeCacheLocator


class ReadOnlyCacheLocator(InTreeCacheLocator):  # type: ignore[misc]
    """Finds compiled functions in ``__pycache__`` beside their source, and needs it to be there and no more."""

    def ensure_cache_path(self) -> None:
        """Do nothing where the folder is there.

        Raises:
            OSError: it is not; numba then goes on without a cache.
        """
        if not Path(self.get_cache_path()).is_dir():
            raise FileNotFoundError(self.get_cache_path())
