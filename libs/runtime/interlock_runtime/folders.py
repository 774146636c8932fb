"""A folder for what a process works on, gone when the process is gone, however it ended."""

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


def work_folder(prefix: str, parent: Path | None) -> Path:
    """Make a folder of this process's own; to be held by :func:`locked_work_folder`."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


@asynccontextmanager
async def locked_work_folder(folder: Path, prefix: str) -> AsyncIterator[None]:
    """Hold the folder while the block lasts, and clear away those whose process was killed."""
    for other in folder.parent.glob(f"{prefix}*"):
        if other != folder:
            await asyncio.to_thread(_clear_if_deserted, other)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _clear_if_deserted(folder: Path) -> None:
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return
