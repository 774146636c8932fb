"""Files as bodies of requests: taken as they are, to disk as they come."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from litestar import Request

from interlock_runtime.problems import problem

_WRITE_BYTES = 1 << 20


def refuse_wrapped(request: Request[Any, Any, Any]) -> None:
    """Raise where the body is not the file itself."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise problem(415, "Send the file itself", "the body must be the file, not a form: curl --data-binary @FILE")


async def save(chunks: AsyncIterator[bytes], path: Path, limit: int) -> None:
    """Write the body to disk as it comes, a mebibyte at a time; 413 beyond ``limit`` bytes."""
    size, waiting = 0, bytearray()
    with path.open("wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise problem(413, "The file is too large", f"at most {limit} bytes are taken; cut it into batches")
            waiting += chunk
            if len(waiting) >= _WRITE_BYTES:
                await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(file.write, bytes(waiting))
