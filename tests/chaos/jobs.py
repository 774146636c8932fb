"""Ray's Jobs API as far as services use it, with Ray's own manners; a job is the real trainer, started warm.

As on Ray: an id is taken once and for all, a second submission of it is answered with 500, stopping is asynchronous,
a head that comes back has forgotten every job (``forget``), one that is down refuses connections (``down``).
"""

import json
import re
import shlex
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.processes import Process, Warm

_JOB = re.compile(r"^/api/jobs/([^/]+)(/stop)?$")
_LOG = re.compile(r"^/api/v0/logs/file\?node_id=n1&submission_id=([^&]+)&lines=\d+$")


class Jobs:
    """The job list of one head. ``submissions`` holds every id in the order of arrival, repeats included."""

    def __init__(self, warm: "Warm", env: dict[str, str]) -> None:
        self._warm = warm
        self._env = env
        self._jobs: dict[str, Process] = {}
        self._stopped: set[str] = set()
        self.submissions: list[str] = []
        self.crash_at: list[str] = []
        """Where the next jobs die, one name a job."""
        self.down = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening, and every job."""
        self._server.shutdown()
        self._server.server_close()
        self.kill()

    def kill(self, *, forget: bool = False) -> None:
        """Kill every job, as a head's death does; a head that comes back has then forgotten them."""
        for process in self._jobs.values():
            process.signal(9)
        if forget:
            self._jobs.clear()

    def process(self, submission_id: str) -> "Process":
        """Return the process of a job."""
        return self._jobs[submission_id]

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return status and body of the answer to a question."""
        known = _JOB.match(path)
        if path == "/api/version":
            return 200, {"version": "4"}
        if known and known[1] in self._jobs:
            return 200, {"status": self._status(known[1]), "message": None, "driver_node_id": "n1"}
        return 404, {}

    def log(self, submission_id: str) -> bytes:
        """Return what a job has printed."""
        path = self._warm.logs / f"job-{submission_id}.log"
        return path.read_bytes() if path.exists() else b""

    def last(self) -> "Process":
        """Return the process of the job that was submitted first among those of the newest run."""
        newest = self.submissions[-1].rpartition("-a")[0]
        return self._jobs[f"{newest}-a1"]

    def _status(self, submission_id: str) -> str:
        status = self._jobs[submission_id].status
        if status is None:
            return "RUNNING"
        return "SUCCEEDED" if status == 0 else "STOPPED" if submission_id in self._stopped else "FAILED"

    def _submit(self, body: dict[str, Any]) -> int:
        submission_id = body["submission_id"]
        self.submissions.append(submission_id)
        if submission_id in self._jobs:
            return 500
        _, flag, module, *arguments = shlex.split(body["entrypoint"])
        assert flag == "-m"
        env = self._env | body.get("runtime_env", {}).get("env_vars", {})
        if self.crash_at:
            env["INTERLOCK_CRASH_AT"] = self.crash_at.pop(0)
        self._jobs[submission_id] = self._warm.start(module, arguments, env, f"job-{submission_id}")
        return 200

    def _stop(self, submission_id: str) -> None:
        self._stopped.add(submission_id)
        self._jobs[submission_id].signal(15)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        jobs = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if asked := _LOG.match(self.path):
                    self._send(200, "text/plain", jobs.log(asked[1]))
                else:
                    self._answer(*jobs.answer(self.path))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
                if self.path == "/api/jobs/":
                    self._answer(jobs._submit(body), {"submission_id": body["submission_id"]})
                elif (known := _JOB.match(self.path)) and known[1] in jobs._jobs:
                    jobs._stop(known[1])
                    self._answer(200, {"stopped": True})
                else:
                    self._answer(404, {})

            def _answer(self, status: int, body: dict[str, Any]) -> None:
                self._send(status, "application/json", json.dumps(body).encode())

            def _send(self, status: int, content_type: str, encoded: bytes) -> None:
                if jobs.down:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
