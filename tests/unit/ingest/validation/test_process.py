from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from interlock_contracts.pipeline import Pipeline
from interlock_ingest.validation import CheckFailedError, check
from interlock_ingest.validation.process import SERVER

from tests.support.waiting import until

PIPELINE = Pipeline.model_validate(
    {
        "name": "made-up",
        "task": "regression",
        "target": "y",
        "data": {"columns": {"x": {"type": "number"}, "y": {"type": "number"}}},
    }
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "check"
    made.mkdir()
    return made


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """Return a file that never ends and never begins: whoever reads it waits."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return path


def writer(fifo: Path) -> int | None:
    """Return the open end for writing once somebody reads; as long as it is open, the reader waits for more."""
    try:
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def is_read(end: int) -> bool:
    try:
        os.write(end, b"x")
    except BrokenPipeError:
        return False
    return True


SERVICE = """
import asyncio, sys
from pathlib import Path
from interlock_contracts.pipeline import Pipeline
from interlock_ingest.validation import check

file, folder = map(Path, sys.argv[1:])
pipeline = Pipeline.model_validate_json((folder / "pipeline").read_bytes())
asyncio.run(check(file, pipeline, folder, timeout_s=60))
"""


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def server() -> int:
    assert SERVER.pid is not None
    return SERVER.pid


def checking() -> int:
    """Return the only checking process."""
    (pid,) = children(server())
    return pid


def opened_by(pid: int) -> set[str]:
    """Return what a process has open, but its standard output."""
    return {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir() if each.name != "1"}


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def still_checks(place: Path) -> None:
    """Check a sound file in a new folder."""
    made = place / "still"
    made.mkdir(parents=True)
    (made / "good").write_text("x,y\n1,2\n3,4\n")
    assert (await check(made / "good", PIPELINE, made, timeout_s=60)).accepted


async def test_a_result_comes_back_from_the_process(tmp_path: Path, folder: Path) -> None:
    """With parts where the file is accepted, and every reason where it is not."""
    (tmp_path / "good").write_text("x,y\n1,2\n3,4\n")
    (tmp_path / "bad").write_text("x,y\n1,two\n3,4\n")
    other = tmp_path / "other"
    other.mkdir()

    accepted = await check(tmp_path / "good", PIPELINE, folder, timeout_s=60)
    refused = await check(tmp_path / "bad", PIPELINE, other, timeout_s=60)

    assert accepted.parts is not None
    assert accepted.parts.train_rows + accepted.parts.holdout_rows == 2
    assert accepted.parts.train.parent == accepted.parts.holdout.parent == folder
    assert [reason.rule for reason in refused.reasons] == ["type"]


async def test_the_process_gets_the_role(tmp_path: Path, folder: Path) -> None:
    """And holds all rows of an evaluation file out."""
    (tmp_path / "good").write_text("x,y\n1,2\n3,4\n5,6\n")
    result = await check(tmp_path / "good", PIPELINE, folder, role="evaluation", timeout_s=60)

    assert result.parts is not None
    assert (result.parts.train_rows, result.parts.holdout_rows) == (0, 3)


async def test_a_check_that_takes_too_long_is_a_refusal(endless: Path, folder: Path) -> None:
    """No file holds the others up for ever."""
    result = await check(endless, PIPELINE, folder, timeout_s=0.5)

    assert [reason.rule for reason in result.reasons] == ["time"]


async def test_a_crash_of_the_parser_is_a_refusal(endless: Path, folder: Path) -> None:
    """It does not reach the service, and the next check has a process."""
    running = asyncio.create_task(check(endless, PIPELINE, folder, timeout_s=60))
    await until(lambda: writer(endless))
    os.kill(checking(), signal.SIGSEGV)

    assert [reason.rule for reason in (await running).reasons] == ["damaged"]
    await still_checks(endless.parent)


@pytest.mark.parametrize("of_server", [False, True])
async def test_a_killed_process_is_no_result(endless: Path, folder: Path, *, of_server: bool) -> None:
    """For want of memory, say: the check may be tried again. A killed server takes its checks along."""
    running = asyncio.create_task(check(endless, PIPELINE, folder, timeout_s=60))
    end = await until(lambda: writer(endless))
    assert is_read(end)
    os.kill(server() if of_server else checking(), signal.SIGKILL)

    with pytest.raises(CheckFailedError, match="starts the checks ended" if of_server else "status -9"):
        await running
    await until(lambda: not is_read(end))
    if of_server:
        await until(lambda: state(server()) == "Z")
    await still_checks(endless.parent)


async def test_a_check_is_forked_from_one_thread_and_inherits_nothing(
    endless: Path, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No lock is held by a thread that is not there; no socket, no credential of the service reaches a parser."""
    other = tmp_path / "other"
    other.mkdir()
    await still_checks(tmp_path)
    os.kill(server(), signal.SIGKILL)
    await until(lambda: state(server()) == "Z")
    monkeypatch.setenv("INTERLOCK_POSTGRES_URL", "secret")
    with socket.create_server(("127.0.0.1", 0)):
        first = asyncio.create_task(check(endless, PIPELINE, folder, timeout_s=60))
        await until(lambda: writer(endless))
        pid = checking()
        opened, threads, environment = opened_by(pid), threads_of(server()), environment_of(pid)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

    sockets = {name for name in opened if name.startswith("socket:")}
    assert len(sockets) == 1, "its own, for standard input and error"
    assert not {name for name in opened - sockets if str(tmp_path) not in name}
    assert threads == 1
    assert b"INTERLOCK_" not in environment


async def test_checks_run_beside_each_other(endless: Path, tmp_path: Path, folder: Path) -> None:
    """A long one holds up no other, and ends when it is told to, whatever ran meanwhile."""
    long = asyncio.create_task(check(endless, PIPELINE, folder, timeout_s=60))
    end = await until(lambda: writer(endless))
    await asyncio.gather(*(still_checks(tmp_path / str(number)) for number in range(3)))
    long.cancel()
    await asyncio.gather(long, return_exceptions=True)

    assert not is_read(end)


async def test_a_failure_of_ours_is_no_result(tmp_path: Path, folder: Path) -> None:
    """The file is not to blame for what our own disk does; and the error says what happened."""
    (tmp_path / "good").write_text("x,y\n1,2\n")
    (folder / "stage").write_text("in the way")

    with pytest.raises(CheckFailedError, match="FileExistsError"):
        await check(tmp_path / "good", PIPELINE, folder, timeout_s=60)


async def test_a_cancelled_check_leaves_no_process(endless: Path, folder: Path) -> None:
    """The service's shutdown does not wait for a long check."""
    running = asyncio.create_task(check(endless, PIPELINE, folder, timeout_s=60))
    end = await until(lambda: writer(endless))
    assert is_read(end)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert not is_read(end)


async def test_the_processes_end_with_the_service(endless: Path, folder: Path) -> None:
    """The server, and what it has forked, when the service is killed."""
    (folder / "pipeline").write_text(PIPELINE.model_dump_json())
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVICE, str(endless), str(folder))
    end = await until(lambda: writer(endless))
    assert is_read(end)

    started = children(process.pid)
    assert len(started) == 1
    process.kill()
    await process.wait()

    await until(lambda: not is_read(end))
    await until(lambda: not Path(f"/proc/{started[0]}").exists() or state(started[0]) == "Z")
