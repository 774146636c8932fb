"""An environment for each client, made once from its lock and kept for every checkout: together they do not install."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.support.environments import environment, node

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
    _folder(client)


def node_path(client: str, path: str) -> str:
    """Return a PATH that begins with the programs of a client's packages, and its Node."""
    return os.pathsep.join([str(_folder(client) / "node_modules" / ".bin"), str(node(_folder(client))), path])


def _folder(client: str) -> Path:
    return environment("clients", client, *sorted((HERE / client).glob("*lock*"), reverse=True))


def _python(client: str) -> Path:
    return _folder(client) / "bin" / "python"


def _plain() -> dict[str, str]:
    """Return an environment without our settings, and without what the clients' makers would like to be told."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("INTERLOCK_", "PYTHON", "VIRTUAL"))
    }
    return kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1", "NO_PROXY": "*", "NETRC": os.devnull}
