"""The supervisor of one stack: the library ``supervisor``, its socket in the state folder."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport

from interlock_cli.stack import leftovers
from interlock_cli.stack.home import Home
from interlock_cli.stack.part import Process
from interlock_cli.terminal import Failure

POLL_SECONDS = 0.05
START_SECONDS = 300.0
"""It starts in one; a machine that is busy beyond measure gets this long."""
END_SECONDS = 10.0
SUPERVISOR = "supervisor"
LAUNCH = Path(__file__).with_name("launch.py")

STOPPED = {"STOPPED", "EXITED", "FATAL", "UNKNOWN"}

CONFIG = """\
[unix_http_server]
file = {run}/supervisor.sock
chmod = 0700

[supervisord]
nodaemon = true
logfile = {logs}/supervisor.log
logfile_maxbytes = 10MB
logfile_backups = 1
pidfile = {run}/supervisor.pid
childlogdir = {logs}
umask = 077

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[include]
files = parts/*.conf
"""

# A part is never given up: a server that comes back after an hour must find its services trying.
PROGRAM = """\
[program:{name}]
command = {command}
directory = {data}
autostart = false
autorestart = true
startsecs = 1
startretries = 1000000000
stopsignal = {process.stop_signal}
stopwaitsecs = {process.stop_seconds}
killasgroup = true
redirect_stderr = true
stdout_logfile = {logs}/{name}.log
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 1
"""


class Supervisor:
    """The supervisor process of one state folder, running or not."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._parts = home.etc / "parts"

    def running(self) -> bool:
        """Return whether it answers."""
        try:
            return bool(self._ask("getState")["statename"] == "RUNNING")
        except (OSError, Fault):
            return False

    def start(self, reservations: Collection[int] = ()) -> None:
        """Start it in a session of its own, with no parts yet; it inherits the stack's ``reservations``, open files.

        Raises:
            Failure: it does not answer in time.
        """
        self._parts.mkdir(exist_ok=True)
        for old in self._parts.iterdir():
            old.unlink()
        config = self._home.etc / "supervisor.conf"
        run = self._home.run
        config.write_text(CONFIG.format(run=_text(run), logs=_text(self._home.logs)))
        (run / "supervisor.sock").unlink(missing_ok=True)
        with (self._home.logs / "supervisor.out").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)],
                env={leftovers.MARK: self._home.mark(SUPERVISOR), "PATH": "/usr/bin:/bin"},
                cwd=self._home.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=reservations,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.running():
            if process.poll() is not None or time.monotonic() > deadline:
                said = (self._home.logs / "supervisor.out").read_text(errors="replace").strip()
                raise Failure(f"the supervisor did not start: {said[-500:]}")
            time.sleep(POLL_SECONDS)

    def declare(self, parts: dict[str, Process]) -> set[str]:
        """Make the parts known; return those whose running process is no longer what was asked for."""
        for name, process in parts.items():
            spec = self._parts / f"{name}.json"
            marked = {**process.env, leftovers.MARK: self._home.mark(name)}
            spec.touch(mode=0o600)
            spec.write_text(json.dumps({"argv": process.argv, "env": marked}))
            # The digest stands on the command line, so that the supervisor sees when anything has changed.
            command = [sys.executable, "-I", "-S", str(LAUNCH), str(spec), process.digest]
            (self._parts / f"{name}.conf").write_text(
                PROGRAM.format(
                    name=name,
                    command=_text(shlex.join(command)),
                    data=_text(self._home.data),
                    logs=_text(self._home.logs),
                    process=process,
                )
            )
        [[added, changed, _]] = self._ask("reloadConfig")
        for name in set(added) & parts.keys():
            self._ask("addProcessGroup", name)
        return set(changed) & parts.keys()

    def replace(self, name: str) -> None:
        """Take over a changed declaration; the part must have been stopped."""
        self._ask("removeProcessGroup", name)
        self._ask("addProcessGroup", name)

    def info(self) -> dict[str, dict[str, Any]]:
        """Return the supervisor's word on each part it knows: ``statename``, ``pid``, ``description``."""
        return {each["name"]: each for each in self._ask("getAllProcessInfo")}

    def begin(self, name: str) -> None:
        """Start a part unless it is running or about to."""
        try:
            self._ask("startProcess", name, False)
        except Fault as fault:
            if fault.faultCode != Faults.ALREADY_STARTED:
                raise

    def stop(self, names: set[str]) -> None:
        """Stop parts, all at once, and whatever they left behind; it ends within the longest of their patiences."""
        for name in names:
            try:
                self._ask("stopProcess", name, False)
            except Fault as fault:
                if fault.faultCode not in (Faults.NOT_RUNNING, Faults.BAD_NAME):
                    raise
        while any(each["statename"] not in STOPPED for name, each in self.info().items() if name in names):
            time.sleep(POLL_SECONDS)
        for name in names:
            leftovers.end(self._home.mark(name), patience=0)

    def end(self) -> None:
        """End the supervisor and everything that still bears this stack's mark."""
        if self.running():
            self._ask("shutdown")
            deadline = time.monotonic() + END_SECONDS
            while leftovers.marked(self._home.mark(SUPERVISOR)) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        leftovers.end(self._home.mark(), patience=1)
        (self._home.run / "supervisor.sock").unlink(missing_ok=True)

    def _ask(self, method: str, *arguments: Any) -> Any:
        socket = self._home.run / "supervisor.sock"
        # A proxy of its own for each question: they are not safe to share between threads.
        with ServerProxy("http://127.0.0.1", transport=SupervisorTransport(serverurl=f"unix://{socket}")) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)


def _text(value: Path | str) -> str:
    return str(value).replace("%", "%%")
