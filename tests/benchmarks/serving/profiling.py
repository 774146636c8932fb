"""What stands in the way: where the gateway's worker spends its time under full load, by py-spy."""

import asyncio
import collections
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.serving import processes
from tests.benchmarks.serving.cells import written
from tests.benchmarks.serving.load import load
from tests.benchmarks.serving.ours import OursTarget
from tests.benchmarks.serving.reference import Reference

_CONNECTIONS = 64
_SHOWN = 20
_IDLE = "_worker (concurrent/futures"
"""A thread of a pool that waits for work, which py-spy takes for busy."""


async def measure(known: Reference, servers: dict[str, str], seconds: int) -> dict[str, Any]:
    """Return the share of samples in which each function was the innermost, in per cent, largest first.

    Raises:
        RuntimeError: py-spy may not look into other processes here.
    """
    target = OursTarget(known, servers, models=("forest",))
    with TemporaryDirectory() as name:
        folder = Path(name)
        async with target.started() as server:
            bodies, url = written(target, "forest", known, folder), server.url + target.path("forest")
            await load(url, bodies, connections=_CONNECTIONS, seconds=2, key=server.key)
            busiest = max(processes.tree(server.pid), key=processes.cpu_of)
            loaded = load(url, bodies, connections=_CONNECTIONS, seconds=seconds + 3, key=server.key)
            async with asyncio.TaskGroup() as both:
                both.create_task(loaded)
                looked = both.create_task(_looked(busiest, folder / "stacks", seconds))
    return {"connections": _CONNECTIONS, "self_per_cent": shares(looked.result())}


def shares(stacks: str) -> dict[str, float]:
    """Return per cent by innermost function, of stacks as ``outer;inner count`` lines."""
    counts: collections.Counter[str] = collections.Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        innermost = stack.rpartition(";")[2].rpartition(":")[0] + ")"
        if not innermost.startswith(_IDLE):
            counts[innermost] += int(count)
    total = sum(counts.values())
    return {function: 100 * count / total for function, count in counts.most_common(_SHOWN)}


async def _looked(pid: int, path: Path, seconds: int) -> str:
    found = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or "py-spy"
    words = ["record", "--pid", str(pid), "--duration", str(seconds), "--rate", "400", "--format", "raw"]
    process = await asyncio.create_subprocess_exec(
        found, *words, "--output", str(path), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, errors = await process.communicate()
    finally:
        await processes.end(process)
    if process.returncode:
        raise RuntimeError(f"py-spy: {errors.decode().strip()[-300:]}")
    return await asyncio.to_thread(path.read_text)
