"""A server under test as a tree of processes: what processor time it used, and its end."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_STOP_SECONDS = 10


def cpu_seconds(root: int) -> float:
    """Return the processor time of ``root`` and all below it, children that have ended included."""
    return sum(cpu_of(pid) for pid in tree(root))


def tree(root: int) -> list[int]:
    """Return ``root`` and the processes below it."""
    parents = {int(folder.name): _field(folder.name, 1) for folder in Path("/proc").iterdir() if folder.name.isdigit()}
    found = [root]
    for each in found:
        found += [pid for pid, parent in parents.items() if parent == each]
    return found


def lives(pid: int) -> bool:
    """Return whether a process is there and has not ended."""
    return Path(f"/proc/{pid}/exe").exists()


def _stat(pid: int | str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended meanwhile
        return []


def _field(pid: str, at: int) -> int:
    stat = _stat(pid)
    return int(stat[at]) if stat else -1


def cpu_of(pid: int) -> float:
    """Return the processor time of one process and of its children that have ended."""
    return sum(int(ticks) for ticks in _stat(pid)[11:15]) / _TICK


def rate(count: int, seconds: float, cpu: float) -> dict[str, float]:
    """Return what was finished per second, and per second of processor time."""
    return {"per_second": count / seconds, "per_cpu_second": count / max(cpu, 1 / _TICK), "count": count}


async def idle(root: int, *, seconds: float = 30) -> None:
    """Wait until a server has done what clients that went away had asked of it; at most ``seconds``."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        before = cpu_seconds(root)
        await asyncio.sleep(0.3)
        if cpu_seconds(root) - before <= 0.3 * 0.15:
            return


@asynccontextmanager
async def running(command: list[str], *, env: dict[str, str], folder: Path, log: Path) -> AsyncIterator[int]:
    """Run a server in ``folder``; give its process id, and leave nothing of it behind."""
    process = _started(command, env, folder, log)
    try:
        yield process.pid
    finally:
        everyone = tree(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, _STOP_SECONDS)
        finally:  # also when the waiting is cancelled
            for pid in everyone:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


async def stop(process: subprocess.Popen[bytes], seconds: float, number: int = signal.SIGTERM) -> None:
    """Stop a process that leads its session; where it does not end, or the waiting is interrupted, kill all of it.

    Raises:
        TimeoutExpired: it was still there after ``seconds``.
    """
    process.send_signal(number)
    try:
        await asyncio.to_thread(process.wait, seconds)
    except BaseException:
        kill_session(process.pid)
        raise


def kill_session(leader: int) -> None:
    """Kill what is left of a process that leads its session, and of its children: they outlive one that was killed."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


async def end(process: asyncio.subprocess.Process, number: int = signal.SIGKILL) -> None:
    """End a program that nobody waits for any more, and wait for it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(number)
    await process.wait()


def _started(command: list[str], env: dict[str, str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(
            command, env=env, cwd=folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )
