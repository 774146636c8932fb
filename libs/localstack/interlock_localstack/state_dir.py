"""State directory of one local stack: ports, secrets, records, data and logs."""

import fcntl
import json
import os
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import interlock_localstack
from interlock_localstack.errors import StackError

LONGEST_RUN_PATH = 30
"""In bytes. The system takes 107 for the path of a socket, and Ray appends up to 72 of them: ``/ray/session_``, date
and time (26), a pid (7), ``/sockets/dash_MetricsHead``; the rest is for a longer name in a later release."""


CHECKOUT_MARKER = Path("libs", "cli", "interlock_cli")
"""The folder that every checkout has, of this release and of earlier ones."""


def find_root() -> Path:
    """Return the state directory: ``INTERLOCK_HOME``, else ``.interlock`` of the checkout around or of this code."""
    if given := os.environ.get("INTERLOCK_HOME"):
        return Path(given).absolute()
    here = Path.cwd()
    for folder in (here, *here.parents, Path(interlock_localstack.__file__).parents[3]):
        if (folder / CHECKOUT_MARKER).is_dir():
            return folder / ".interlock"
    return Path.home() / ".interlock"


class StateDir:
    """One state directory; constructing the object creates nothing on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.logs = root / "log"
        self.etc = root / "etc"
        self.spans = root / "spans"

    @classmethod
    def find(cls) -> "StateDir":
        """Return the state directory of commands run in the current folder."""
        return cls(find_root())

    def create(self) -> None:
        """Create the missing folders."""
        for folder in (self.root, self.data, self.logs, self.etc, self.spans):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.data, self.etc, self.logs):
            folder.chmod(0o700)

    @property
    def run(self) -> Path:
        """Return the folder of sockets: in the state directory, or a private one where its path is too long.

        Ray puts it into shell commands without quotes, so a path that needs quoting is not used, either.
        """
        own = self.root / "run"
        if len(os.fsencode(own)) <= LONGEST_RUN_PATH and shlex.quote(str(own)) == str(own):
            own.mkdir(mode=0o700, exist_ok=True)
            return own
        recorded = self.read("run")
        # After a reboot the temporary folder may be gone, or belong to another user.
        if recorded and Path(recorded).is_dir() and Path(recorded).stat().st_uid == os.getuid():
            return Path(recorded)
        made = tempfile.mkdtemp(prefix="interlock-", dir="/tmp")
        self.write("run", made)
        return Path(made)

    def mark(self, component: str | None = None) -> str:
        """Return the mark of a component's processes, or the beginning of every component's."""
        return f"{self.identity}/" + (f"{component};" if component else "")

    @property
    def identity(self) -> str:
        """Return the random id of this stack, which marks every process it starts."""
        return self.secret("identity", 8)

    def secret(self, name: str, size: int = 24) -> str:
        """Return a secret of ``size`` random bytes in hex, the same for the life of the state directory."""
        path = self.secret_path(name)
        try:
            return path.read_text()
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_private(path, secrets.token_hex(size))
            return path.read_text()

    def set_secret(self, name: str, value: str) -> None:
        """Take over a secret from elsewhere."""
        self.secret_path(name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(self.secret_path(name), value)

    def secret_path(self, name: str) -> Path:
        """Return the path of a secret."""
        return self.root / "secrets" / name

    def read(self, name: str) -> Any:
        """Return a record; None when it is missing or unreadable."""
        try:
            return json.loads((self.root / f"{name}.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def write(self, name: str, value: Any) -> None:
        """Write a record atomically."""
        _write_private(self.root / f"{name}.json", json.dumps(value, indent=2))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the exclusive lock of this stack, across processes."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def wipe(self) -> None:
        """Remove data, logs, spans and sockets; ports and secrets stay, so that addresses do."""
        for folder in (self.data, self.logs, self.spans, self.etc, self.run):
            shutil.rmtree(folder, ignore_errors=True)
        (self.root / "run.json").unlink(missing_ok=True)


def _write_private(path: Path, text: str) -> None:
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            file.write(text)
    except PermissionError as error:
        raise StackError(
            f"{path.parent} belongs to another user", hint="set INTERLOCK_HOME to a folder of yours"
        ) from error
    Path(file.name).replace(path)
