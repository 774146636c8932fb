"""A stack in one file: restored where nothing is, it serves what it served, to the same keys."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from interlock_localstack.state_dir import StateDir

from tests.support.stack_user import User, csv

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SERVING = "rabbitmq,postgres,s3,registry,gateway"


def interlock(home: str | Path, *words: str | Path, code: int = 0) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    done = subprocess.run(
        [sys.executable, "-m", "interlock_cli", *map(str, words)],
        env=clean | {"INTERLOCK_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Path]:
    """Return the home of a stack that was never started; it is stopped and emptied afterwards."""
    home = tmp_path / "home"
    yield home
    if home.exists():
        interlock(home, "down", "--wipe")


async def test_a_stack_is_restored_where_nothing_is(
    stack: dict[str, str], user: User, empty: Path, tmp_path: Path
) -> None:
    """The same version answers the same; what is there already is never overwritten."""
    file, name = tmp_path / "monday.tar", await user.apply()
    await user.ingest(name, csv(400, seed=1))
    assert (await user.ended(await user.retrain(name)))["state"] == "succeeded"
    before = await user.serves(name, 1)

    told = interlock(stack["INTERLOCK_HOME"], "backup", file)
    assert "objects" in told
    assert file.stat().st_mode & 0o077 == 0, "it holds secrets"
    assert "there already" in interlock(stack["INTERLOCK_HOME"], "backup", file, code=1)
    assert "has data" in interlock(stack["INTERLOCK_HOME"], "restore", file, code=1)

    assert "next: interlock up" in interlock(empty, "restore", file)
    interlock(empty, "up", "--only", SERVING)
    restored = StateDir(empty).read("environment")
    assert restored["INTERLOCK_API_KEY"] == stack["INTERLOCK_API_KEY"]
    assert restored["INTERLOCK_GATEWAY_URL"] != stack["INTERLOCK_GATEWAY_URL"]
    again = await User(restored).serves(name, 1)
    assert {**again, "id": None} == {**before, "id": None}
