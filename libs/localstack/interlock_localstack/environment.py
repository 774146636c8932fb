"""Environments of the stack's processes: the same from every shell; and the settings of the user and of the stack."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from interlock_localstack.errors import StackError
from interlock_localstack.state_dir import StateDir

PREFIX = "INTERLOCK_"
STEP_SECONDS = 600
"""How long one step of preparing a component may take: far more than any does on a machine that is merely busy."""
NOT_SETTINGS = {"INTERLOCK_HOME", "INTERLOCK_PART"}
CARRIED = ("TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
CARRIED_PREFIXES = ("OTEL_", "OPENBLAS_", "OMP_")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def base_environment() -> dict[str, str]:
    """Return the environment of all components: nothing that differs between shells, or they would restart."""
    carried = {
        name: value for name, value in os.environ.items() if name in CARRIED or name.startswith(CARRIED_PREFIXES)
    }
    return carried | {
        "PATH": f"{Path(sys.executable).parent}:{SYSTEM_PATH}",
        "HOME": str(Path.home()),
        "LANG": "C.UTF-8",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",  # looking for some among all packages takes a tenth of a start
    }


def given_settings() -> dict[str, str]:
    """Return the ``INTERLOCK_*`` settings of this process, those in files (``INTERLOCK_*_FILE``) read."""
    own = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and value and name not in NOT_SETTINGS
    }
    return {
        name.removesuffix("_FILE"): Path(value).read_text().strip() if name.endswith("_FILE") else value
        for name, value in own.items()
    }


def run_as_administrator(
    module: str,
    settings: Mapping[str, str],
    text: str = "",
    *,
    arguments: Sequence[str] = (),
    seconds: float | None = STEP_SECONDS,
) -> str:
    """Run a step with an administrator's credentials, with ``text`` as its input, and return what it printed.

    Raises:
        StackError: it fails; the message ends with its output.
    """
    env = base_environment() | dict(settings)
    argv = [sys.executable, "-m", module, *arguments]
    return run_step(argv, f"python -m {module} failed", env=env, text=text, seconds=seconds)


def run_step(
    argv: Sequence[str],
    otherwise: str,
    *,
    env: Mapping[str, str] | None = None,
    text: str = "",
    folder: Path | None = None,
    hint: str | None = None,
    seconds: float | None = STEP_SECONDS,
) -> str:
    """Run a program that prepares a component, with ``text`` as its input, and return what it printed.

    It may take ``seconds``, without a limit where these are None.

    Raises:
        StackError: it fails or times out; the message begins with ``otherwise`` and ends with the program's output.
    """
    try:
        done = subprocess.run(
            argv, env=env, cwd=folder, input=text, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise StackError(f"{otherwise}: timeout after {seconds} s", hint=hint) from None
    if done.returncode != 0:
        raise StackError(f"{otherwise}: {(done.stderr or done.stdout).strip()[-500:]}", hint=hint)
    return done.stdout


def stack_settings() -> dict[str, str]:
    """Return the ``INTERLOCK_*`` settings of the checkout's stack for clients; empty when it was never started."""
    return StateDir.find().read("environment") or {}


def cache_folder() -> Path:
    """Return the user's cache folder, shared by all checkouts, or a temporary one where that cannot be made."""
    wanted = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interlock"
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        probe = wanted / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError:
        wanted = Path(f"/var/tmp/interlock-{os.getuid()}")  # noqa: S108 - its owner is checked below
        wanted.mkdir(mode=0o700, exist_ok=True)
        if wanted.stat().st_uid != os.getuid():
            raise PermissionError(f"{wanted} belongs to another user") from None
    return wanted


def without_own(given: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that differ from this stack's own, which a shell has after ``interlock env``."""
    return {name: value for name, value in given.items() if ours.get(name) != value}
