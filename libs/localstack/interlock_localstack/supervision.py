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

from interlock_localstack import orphans
from interlock_localstack.component import Process
from interlock_localstack.errors import StackError
from interlock_localstack.state_dir import StateDir

POLL_SECONDS = 0.05
START_SECONDS = 300.0
"""Start timeout: it takes one second, far longer only on an overloaded machine."""
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

# Restarts are unlimited: a server that comes back after an hour must find its services retrying.
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

    def __init__(self, state_dir: StateDir) -> None:
        self._state_dir = state_dir
        self._programs = state_dir.etc / "parts"

    def is_running(self) -> bool:
        """Return whether the supervisor answers on its socket."""
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except (OSError, Fault):
            return False

    def start(self, reservations: Collection[int] = ()) -> None:
        """Start it in a session of its own, with no components yet; it inherits the ``reservations``, open files.

        Raises:
            StackError: it does not answer in time.
        """
        self._programs.mkdir(exist_ok=True)
        for old in self._programs.iterdir():
            old.unlink()
        config = self._state_dir.etc / "supervisor.conf"
        run = self._state_dir.run
        config.write_text(CONFIG.format(run=_text(run), logs=_text(self._state_dir.logs)))
        (run / "supervisor.sock").unlink(missing_ok=True)
        with (self._state_dir.logs / "supervisor.out").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)],
                env={orphans.MARK: self._state_dir.mark(SUPERVISOR), "PATH": "/usr/bin:/bin"},
                cwd=self._state_dir.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=reservations,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.is_running():
            if process.poll() is not None or time.monotonic() > deadline:
                output_text = (self._state_dir.logs / "supervisor.out").read_text(errors="replace").strip()
                raise StackError(f"the supervisor did not start: {output_text[-500:]}")
            time.sleep(POLL_SECONDS)

    def declare(self, components: dict[str, Process]) -> set[str]:
        """Declare the components; return those whose running process no longer matches its declaration."""
        for name, process in components.items():
            spec = self._programs / f"{name}.json"
            marked = {**process.env, orphans.MARK: self._state_dir.mark(name)}
            spec.touch(mode=0o600)
            spec.write_text(json.dumps({"argv": process.argv, "env": marked}))
            # The digest stands on the command line, so that the supervisor sees when anything has changed.
            command = [sys.executable, "-I", "-S", str(LAUNCH), str(spec), process.digest]
            (self._programs / f"{name}.conf").write_text(
                PROGRAM.format(
                    name=name,
                    command=_text(shlex.join(command)),
                    data=_text(self._state_dir.data),
                    logs=_text(self._state_dir.logs),
                    process=process,
                )
            )
        [[added, changed, _]] = self._call("reloadConfig")
        for name in set(added) & components.keys():
            self._call("addProcessGroup", name)
        return set(changed) & components.keys()

    def replace(self, name: str) -> None:
        """Apply a changed declaration; the component must have been stopped."""
        self._call("removeProcessGroup", name)
        self._call("addProcessGroup", name)

    def info(self) -> dict[str, dict[str, Any]]:
        """Return the supervisor's state of each component it knows: ``statename``, ``pid``, ``description``."""
        return {each["name"]: each for each in self._call("getAllProcessInfo")}

    def start_component(self, name: str) -> None:
        """Start a component unless it is running or about to."""
        try:
            self._call("startProcess", name, False)
        except Fault as fault:
            if fault.faultCode != Faults.ALREADY_STARTED:
                raise

    def stop_components(self, names: set[str]) -> None:
        """Stop components concurrently, then kill their orphans; takes as long as the longest ``stop_seconds``."""
        for name in names:
            try:
                self._call("stopProcess", name, False)
            except Fault as fault:
                if fault.faultCode not in (Faults.NOT_RUNNING, Faults.BAD_NAME):
                    raise
        while any(each["statename"] not in STOPPED for name, each in self.info().items() if name in names):
            time.sleep(POLL_SECONDS)
        for name in names:
            orphans.terminate_marked(self._state_dir.mark(name), grace_seconds=0)

    def shut_down(self) -> None:
        """Shut down the supervisor, and terminate every process that still bears this stack's mark."""
        if self.is_running():
            self._call("shutdown")
            deadline = time.monotonic() + END_SECONDS
            while orphans.find_marked(self._state_dir.mark(SUPERVISOR)) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        orphans.terminate_marked(self._state_dir.mark(), grace_seconds=1)
        (self._state_dir.run / "supervisor.sock").unlink(missing_ok=True)

    def _call(self, method: str, *arguments: Any) -> Any:
        socket = self._state_dir.run / "supervisor.sock"
        # One proxy for each call: they are not safe to share between threads.
        with ServerProxy("http://127.0.0.1", transport=SupervisorTransport(serverurl=f"unix://{socket}")) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)


def _text(value: Path | str) -> str:
    return str(value).replace("%", "%%")
