"""The environments that processes of the stack start with: the same from every shell."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from interlock_cli.terminal import Failure

PREFIX = "INTERLOCK_"
STEP_SECONDS = 600
"""How long one step of preparing a part may take: far more than any does on a machine that is merely busy."""
NOT_SETTINGS = {"INTERLOCK_HOME", "INTERLOCK_PART"}
CARRIED = ("TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
CARRIED_PREFIXES = ("OTEL_", "OPENBLAS_", "OMP_")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def plain_environment() -> dict[str, str]:
    """Return what every part gets: nothing that differs between two shells of one user, or parts would restart."""
    carried = {
        name: value for name, value in os.environ.items() if name in CARRIED or name.startswith(CARRIED_PREFIXES)
    }
    return carried | {
        "PATH": f"{Path(sys.executable).parent}:{SYSTEM_PATH}",
        "HOME": str(Path.home()),
        "LANG": "C.UTF-8",
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


def as_administrator(module: str, settings: Mapping[str, str], text: str = "") -> None:
    """Run one of the steps that take an administrator's rights, with ``text`` as its input.

    Raises:
        Failure: it ends with an error, whose last words it holds.
    """
    env = plain_environment() | dict(settings)
    run_step([sys.executable, "-m", module], f"python -m {module} failed", env=env, text=text)


def run_step(
    argv: Sequence[str],
    otherwise: str,
    *,
    env: Mapping[str, str] | None = None,
    text: str = "",
    folder: Path | None = None,
    hint: str | None = None,
) -> str:
    """Run a program that prepares a part, with ``text`` as its input, and return what it printed.

    Raises:
        Failure: it ends with an error or never; the message begins with ``otherwise`` and has the program's last words.
    """
    try:
        done = subprocess.run(
            argv, env=env, cwd=folder, input=text, capture_output=True, text=True, timeout=STEP_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"{otherwise}: it has not ended after {STEP_SECONDS} s", hint=hint) from None
    if done.returncode != 0:
        raise Failure(f"{otherwise}: {(done.stderr or done.stdout).strip()[-500:]}", hint=hint)
    return done.stdout


def cache_folder() -> Path:
    """Return the user's folder for what any checkout can use again, or the temporary one where it can't be made."""
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
            raise PermissionError(f"{wanted} belongs to somebody else") from None
    return wanted


def without_ours(given: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that name something else than our own stack, as a shell after ``interlock env`` does."""
    return {name: value for name, value in given.items() if ours.get(name) != value}
