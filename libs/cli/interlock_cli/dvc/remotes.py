"""DVC's remotes, by their address: a folder, or a prefix in S3; the one that is named, or the repository's own."""

import shutil
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from interlock_cli.dvc.pointers import Digests, Pointer, copied, digests_of, read_pointer, write_pointer
from interlock_cli.terminal import CommandError


class Remote(Protocol):
    """A store of data by MD5."""

    def fetch(self, key: str, to: Path) -> Digests | None:
        """Write the object to a file; None where there is none."""

    def store(self, key: str, file: Path) -> None:
        """Store a file as the object, unless it is there."""


class Folder:
    """A remote that is a folder of this machine, or one that is mounted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fetch(self, key: str, to: Path) -> Digests | None:
        """Write the object to a file; None where there is none."""
        try:
            with (self._path / key).open("rb") as source, to.open("wb") as target:
                return copied(source.read, target.write)
        except FileNotFoundError:
            return None

    def store(self, key: str, file: Path) -> None:
        """Store a file as the object; whoever reads meanwhile sees all of it, or nothing."""
        target = self._path / key
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=target.parent, delete=False) as part, file.open("rb") as source:
            shutil.copyfileobj(source, part)
        Path(part.name).chmod(0o644)
        Path(part.name).replace(target)


class Address(NamedTuple):
    """A remote's address, and its S3 endpoint where one is configured."""

    url: str
    endpoint: str | None = None


def remote_at(address: Address) -> Remote:
    """Return the remote at an address.

    Raises:
        CommandError: there are no remotes of that kind here.
    """
    scheme = urlsplit(address.url).scheme
    if scheme == "s3":
        from interlock_cli.dvc.s3 import S3Prefix  # noqa: PLC0415 - an extra, which a folder does not need

        return S3Prefix.of(address.url, address.endpoint)
    if scheme not in ("", "file"):
        raise CommandError(f"the remote {address.url} is neither a folder nor s3://bucket/prefix")
    return Folder(Path(address.url.removeprefix("file://")).expanduser())


@contextmanager
def pointed_at(pointer_file: Path, named: str | None) -> Iterator[tuple[Path, Pointer]]:
    """Yield the file that a pointer points at, checked: the one beside it, else from the remote, and the pointer.

    Raises:
        CommandError: the pointer is none, or what it points at is nowhere, or is something else.
    """
    pointer = read_pointer(pointer_file)
    beside = pointer_file.parent / pointer.path
    if beside.is_file() and pointer.mismatch(digests_of(beside)) is None:
        yield beside, pointer
        return
    address = Address(named) if named else _configured(pointer_file)
    with TemporaryDirectory(prefix="interlock-") as folder:
        file = Path(folder) / Path(pointer.path).name
        found = remote_at(address).fetch(pointer.key, file)
        if found is None:
            hint = "`dvc push` stores there what is only on another machine"
            raise CommandError(f"{address.url} has no {pointer.key}, which {pointer_file} points at", hint=hint)
        if (mismatch := pointer.mismatch(found)) is not None:
            raise CommandError(f"{pointer.key} in {address.url} is damaged: {mismatch}")
        yield file, pointer


def stored_in(remote: str, file: Path, *, pipeline: str) -> Path:
    """Store a data file in a remote and write its pointer beside it; return the pointer's path."""
    digests = digests_of(file)
    pointer = Pointer(digests.md5, digests.size, file.name)
    remote_at(Address(remote)).store(pointer.key, file)
    return write_pointer(file, digests, pipeline=pipeline)


def _configured(pointer_file: Path) -> Address:
    """Return the default remote of the DVC repository that a pointer is in.

    Raises:
        CommandError: there is none.
    """
    missing = f"the data of {pointer_file} is not beside it, and no remote is known"
    hint = "name one with --remote, a folder or s3://bucket/prefix"
    homes = [parent / ".dvc" for parent in pointer_file.resolve().parents if (parent / ".dvc").is_dir()]
    if not homes:
        raise CommandError(missing, hint=hint)
    config = ConfigParser(interpolation=None)
    try:
        config.read([homes[0] / "config", homes[0] / "config.local"])
    except (ConfigError, UnicodeDecodeError) as error:
        raise CommandError(f"{homes[0] / 'config'} cannot be read: {error}") from error
    name = config.get("core", "remote", fallback=None)
    section: dict[str, Any] = dict(config[f"'remote \"{name}\"'"]) if f"'remote \"{name}\"'" in config else {}
    if "url" not in section:
        raise CommandError(missing, hint=hint)
    url = str(section["url"])
    if not urlsplit(url).scheme:
        url = str(homes[0] / Path(url).expanduser())  # relative to the file that names it
    return Address(url, section.get("endpointurl"))
