"""The state folder of one local stack: ports, secrets, records, data, logs."""

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

import interlock_cli
from interlock_cli.terminal import Failure

LONGEST_RUN_PATH = 30
"""In bytes. The system takes 107 for the path of a socket, and Ray appends up to 72 of them: ``/ray/session_``, date
and time (26), a pid (7), ``/sockets/dash_MetricsHead``; the rest is for a longer name in a later release."""


def find_root() -> Path:
    """Return the state folder: ``INTERLOCK_HOME``, else ``.interlock`` of the checkout around or of this code."""
    if given := os.environ.get("INTERLOCK_HOME"):
        return Path(given).absolute()
    here = Path.cwd()
    for folder in (here, *here.parents, Path(interlock_cli.__file__).parents[3]):
        if (folder / "libs" / "cli" / "interlock_cli").is_dir():
            return folder / ".interlock"
    return Path.home() / ".interlock"


class Home:
    """One state folder; making the object makes nothing on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.logs = root / "log"
        self.etc = root / "etc"
        self.spans = root / "spans"

    @classmethod
    def find(cls) -> "Home":
        """Return the state folder that commands run here mean."""
        return cls(find_root())

    def make(self) -> None:
        """Make the folders that are missing."""
        for folder in (self.root, self.data, self.logs, self.etc, self.spans):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.data, self.etc, self.logs):
            folder.chmod(0o700)

    @property
    def run(self) -> Path:
        """Return the folder of sockets: in the state folder, or a private one where that path is too long for sockets.

        Ray puts it into shell commands without quotes, so a path that needs them is none, either.
        """
        own = self.root / "run"
        if len(os.fsencode(own)) <= LONGEST_RUN_PATH and shlex.quote(str(own)) == str(own):
            own.mkdir(mode=0o700, exist_ok=True)
            return own
        recorded = self.read("run")
        # After a reboot the temporary folder may be gone, or be somebody else's.
        if recorded and Path(recorded).is_dir() and Path(recorded).stat().st_uid == os.getuid():
            return Path(recorded)
        made = tempfile.mkdtemp(prefix="interlock-", dir="/tmp")
        self.write("run", made)
        return Path(made)

    def mark(self, part: str | None = None) -> str:
        """Return the mark of a part's processes, or the beginning of every part's."""
        return f"{self.identity}/" + (f"{part};" if part else "")

    @property
    def identity(self) -> str:
        """Return the random name of this stack, which marks every process it starts."""
        return self.secret("identity", 8)

    def secret(self, name: str, size: int = 24) -> str:
        """Return a secret of ``size`` random bytes in hex, the same for the life of the state folder."""
        path = self.secret_path(name)
        try:
            return path.read_text()
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_private(path, secrets.token_hex(size))
            return path.read_text()

    def secret_path(self, name: str) -> Path:
        """Return where a secret is kept."""
        return self.root / "secrets" / name

    def read(self, name: str) -> Any:
        """Return a record; None when there is none, or none that can be read."""
        try:
            return json.loads((self.root / f"{name}.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def write(self, name: str, value: Any) -> None:
        """Keep a record; nobody ever reads half of it."""
        _write_private(self.root / f"{name}.json", json.dumps(value, indent=2))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the stack for one change at a time, over all processes."""
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
        raise Failure(f"{path.parent} belongs to somebody else", hint="set INTERLOCK_HOME to a folder") from error
    Path(file.name).replace(path)
