from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from interlock_contracts.pipeline import Pipeline
from interlock_ingest.validation import CheckFailedError, check

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


async def test_a_crash_of_the_parser_is_a_refusal(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not reach the service."""
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crashing))

    result = await check(tmp_path / "any", PIPELINE, folder, timeout_s=60)

    assert [reason.rule for reason in result.reasons] == ["damaged"]


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


async def test_the_process_ends_with_the_service(endless: Path, folder: Path) -> None:
    """When its standard input closes, as it does when the service is killed."""
    (folder / "spec").write_text(PIPELINE.model_dump_json())
    words = [
        sys.executable,
        "-m",
        "interlock_ingest.validation",
        str(endless),
        str(folder / "spec"),
        str(folder),
        "training",
        "1",
    ]
    process = await asyncio.create_subprocess_exec(*words, stdin=asyncio.subprocess.PIPE)
    end = await until(lambda: writer(endless))
    assert is_read(end)

    assert process.stdin is not None
    process.stdin.close()

    async with asyncio.timeout(20):
        assert await process.wait() != 0
    assert not is_read(end)
