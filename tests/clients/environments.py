"""An environment for each client, made once from its lock and kept for every checkout: together they do not install."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from interlock_localstack.environment import cache_folder

HERE = Path(__file__).parent
CLIENTS = sorted(path.parent.name for path in HERE.glob("*/requirements.lock"))


def seen_by(client: str, script: str, *, patience: float = 100, **given: Any) -> Any:
    """Run a client's script in its own environment; return what it says that it saw."""
    command = [str(_python(client)), str(HERE / client / script), json.dumps(given)]
    done = subprocess.run(command, env=_plain(), capture_output=True, text=True, check=False, timeout=patience)
    assert done.returncode == 0, f"{client}/{script}:\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


def shown_by(client: str, code: str, **variables: str) -> str:
    """Run Python code in a client's environment; return what it prints."""
    command = [str(_python(client)), "-W", "ignore", "-c", code]
    done = subprocess.run(command, env=_plain() | variables, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, f"{client}:\n{code}\n{done.stderr}"
    return done.stdout


def ran_by(
    client: str, command: str, *words: str, cwd: Path | None = None, patience: float = 100, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a client's own command; return how it ended."""
    program = [str(_python(client).with_name(command)), *words]
    return subprocess.run(
        program, cwd=cwd, env=_plain() | variables, capture_output=True, text=True, check=False, timeout=patience
    )


def make_ready(client: str) -> None:
    """Make the client's environment unless it is there; without its packages the test fails in CI, else is skipped."""
    lock = HERE / client / "requirements.lock"
    folder = _folder(client)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".making").open("w") as making:
        fcntl.flock(making, fcntl.LOCK_EX)  # released when closed, and when its process ends in any other way
        if (folder / "ready").exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        for command in (
            ["venv", "--quiet", "--python", sys.executable, str(folder)],
            ["pip", "sync", "--quiet", "--python", str(folder / "bin" / "python"), "--require-hashes", str(lock)],
        ):
            done = subprocess.run([_uv(), *command], capture_output=True, text=True, check=False)
            if done.returncode:
                _do_without(f"the environment of {client} cannot be made: {done.stderr.strip()[-500:]}")
        (folder / "ready").touch()


def _folder(client: str) -> Path:
    lock = (HERE / client / "requirements.lock").read_bytes()
    made_for = hashlib.sha256(lock + sys.version.encode()).hexdigest()[:16]
    return cache_folder() / "clients" / f"{client}-{made_for}"


def _python(client: str) -> Path:
    return _folder(client) / "bin" / "python"


def _uv() -> str:
    own = HERE.parents[1] / ".interlock" / "boot" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    return found or _do_without("there is no uv, which makes the clients' environments; `make setup` brings it")


def _do_without(why: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def _plain() -> dict[str, str]:
    """Return an environment without our settings, and without what the clients' makers would like to be told."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("INTERLOCK_", "PYTHON", "VIRTUAL"))
    }
    return kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1", "NO_PROXY": "*", "NETRC": os.devnull}
