"""Backup of a running local stack into one file, and its restore into an empty one.

The database comes first and the objects after it: they are stored before anything refers to them, so whatever the
database knows is in the file. Messages are not: after a restore the outboxes publish once more what they had published
lately, and consumers know by their inboxes what they have dealt with.
"""

import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from interlock_contracts.deployment import POSTGRES, services_using

from interlock_localstack import postgres
from interlock_localstack.component import Report
from interlock_localstack.environment import run_as_administrator
from interlock_localstack.errors import StackError
from interlock_localstack.start import start_stack
from interlock_localstack.state_dir import StateDir
from interlock_localstack.status import stack_status

FORMAT = 1
SERVERS = ("rabbitmq", "postgres", "s3")
SECRETS = ("api_key", "key_pepper", "signing")
"""Secrets by which a restored stack takes the same keys, and trusts the promotions of the old one; the others are its
own."""
PUBLISHED_AGAIN = "1 hour"
"""Events published so shortly before the backup are published again: some may have waited in a queue still."""

_MANIFEST, _DUMP, _SECRET = "manifest.json", "postgres.dump", "secrets/"


def back_up(state_dir: StateDir, file: Path, report: Report) -> dict[str, Any]:
    """Write a backup of a running stack to ``file``, which appears only once it is whole; return its manifest.

    Raises:
        StackError: a server does not run, or is not the stack's own.
    """
    url = _database(state_dir)
    partial = file.with_name(f".{file.name}.part")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    try:
        taken_at = datetime.now(UTC)
        with _dumped(url) as dump, tarfile.open(partial, "w") as archive:
            for name in SECRETS:
                _add(archive, _SECRET + name, state_dir.secret(name).encode())
            archive.add(dump, _DUMP)
        report("saved the database; saving the objects")
        counts = _move_objects(state_dir, "save", partial)
        manifest = {"format": FORMAT, "release": version("interlock-localstack"), "taken_at": f"{taken_at:%FT%TZ}"}
        with tarfile.open(partial, "a") as archive:
            _add(archive, _MANIFEST, json.dumps({**manifest, **counts}, indent=2).encode())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return {**manifest, **counts}


def restore(state_dir: StateDir, file: Path, report: Report) -> dict[str, Any]:
    """Fill an empty stack from a backup and leave its servers running; return the backup's manifest.

    Raises:
        StackError: the stack has data, or the file is no whole backup of this release or an earlier one.
    """
    with _opened(file) as archive:
        manifest = _manifest(file, archive)
        if postgres.has_data(state_dir) or (state_dir.data / "s3").exists():
            hint = "interlock down --wipe deletes them; or set INTERLOCK_HOME to an empty folder"
            raise StackError(f"{state_dir.root} has data", hint=hint)
        for name in SECRETS:
            state_dir.set_secret(name, _content(archive, _SECRET + name).decode())
        start_stack(state_dir, list(SERVERS), report)
        url = _database(state_dir)
        report("restoring the objects")
        _move_objects(state_dir, "load", file)
        report("restoring the database")
        _fill_database(url, archive, _publish_again(manifest))
    return manifest


def _fill_database(url: str, archive: tarfile.TarFile, afterwards: str) -> None:
    """Restore the dump and run a statement, in one transaction: until its end the stack is an empty one."""
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        archive.extract(_DUMP, folder, filter="data")
        restored, last = Path(folder) / "restored.sql", Path(folder) / "last.sql"
        postgres.run_client(
            "pg_restore", url, "--clean", "--if-exists", f"--file={restored}", str(Path(folder) / _DUMP)
        )
        last.write_text(afterwards)
        files = (f"--file={restored}", f"--file={last}")
        postgres.run_client(
            "psql", url, "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction", "--quiet", *files
        )


def _database(state_dir: StateDir) -> str:
    """Return the administrator's address of the stack's own database, which runs, as the store does."""
    if state_dir.read("parts") is None:
        raise StackError("the local stack has never been started", hint="interlock up")
    admin: dict[str, str] = state_dir.read("admin") or {}
    own = {"INTERLOCK_ADMIN_POSTGRES_URL": "Postgres", "INTERLOCK_ADMIN_S3_SECRET_KEY": "the object store"}
    for name, what in own.items():
        if name not in admin:
            raise StackError(f"{what} is not of this stack: back it up by its own means")
    down = [each["name"] for each in stack_status(state_dir) if each["name"] in SERVERS and not each["healthy"]]
    if down:
        raise StackError(f"not running: {', '.join(down)}", hint="interlock up --only servers")
    return admin["INTERLOCK_ADMIN_POSTGRES_URL"]


def _move_objects(state_dir: StateDir, action: Literal["save", "load"], file: Path) -> dict[str, int]:
    """Append every object to the archive, or store what it has; return how many ``objects`` and ``bytes``."""
    known = {**(state_dir.read("environment") or {}), **(state_dir.read("admin") or {})}
    store = {
        "endpoint": known["INTERLOCK_S3_ENDPOINT"],
        "access_key": known["INTERLOCK_ADMIN_S3_ACCESS_KEY"],
        "secret_key": known["INTERLOCK_ADMIN_S3_SECRET_KEY"],
        "bucket": known["INTERLOCK_S3_BUCKET"],
        "region": known["INTERLOCK_S3_REGION"],
    }
    arguments = (action, str(file))
    told = run_as_administrator("interlock_artifacts.archive", {}, json.dumps(store), arguments=arguments, seconds=None)
    moved: dict[str, int] = json.loads(told)
    return moved


@contextmanager
def _dumped(url: str) -> Iterator[Path]:
    """Yield a dump of all services' schemas as they were at one moment."""
    with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
        dump = Path(folder) / _DUMP
        schemas = [f"--schema={name}" for name in services_using(POSTGRES)]
        postgres.run_client("pg_dump", url, "--format=custom", *schemas, f"--file={dump}")
        yield dump


def _publish_again(manifest: Mapping[str, Any]) -> str:
    """Return the statement that puts the events published last back to those to be published."""
    schemas = ", ".join(f"'{name}'" for name in services_using(POSTGRES))
    taken_at = datetime.fromisoformat(manifest["taken_at"]).isoformat()  # so it is nothing else
    return f"""
DO $$ DECLARE each record; BEGIN
    FOR each IN SELECT schemaname FROM pg_tables WHERE tablename = 'outbox' AND schemaname IN ({schemas}) LOOP
        EXECUTE format('UPDATE %I.outbox SET published_at = NULL WHERE published_at > %L',
            each.schemaname, timestamptz '{taken_at}' - interval '{PUBLISHED_AGAIN}');
    END LOOP;
END $$"""  # noqa: S608 - names of ours, and a time


@contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(file) as archive:
            yield archive
    except FileNotFoundError:
        raise StackError(f"there is no file {file}") from None
    except tarfile.TarError as error:
        raise StackError(f"{file} is no backup: {error}") from error


def _manifest(file: Path, archive: tarfile.TarFile) -> dict[str, Any]:
    if _MANIFEST not in archive.getnames():
        raise StackError(f"{file} is no whole backup: it has no {_MANIFEST}")
    manifest: dict[str, Any] = json.loads(_content(archive, _MANIFEST))
    if manifest["format"] > FORMAT or _release(manifest["release"]) > _release(version("interlock-localstack")):
        raise StackError(f"{file} is of release {manifest['release']}, which is newer than this one")
    return manifest


def _release(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    assert member is not None, "a backup has files only"
    return member.read()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    archive.addfile(member, io.BytesIO(content))
