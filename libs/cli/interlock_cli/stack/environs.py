"""The environments that processes of the stack start with: the same from every shell."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from interlock_cli.terminal import Failure

PREFIX = "INTERLOCK_"
ADMINISTRATOR_SECONDS = 120
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
    env, argv = plain_environment() | dict(settings), [sys.executable, "-m", module]
    done = subprocess.run(
        argv, env=env, input=text, capture_output=True, text=True, timeout=ADMINISTRATOR_SECONDS, check=False
    )
    if done.returncode != 0:
        raise Failure(f"python -m {module} failed: {done.stderr.strip()[-400:]}")


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
