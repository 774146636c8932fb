import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from interlock_artifacts.store import StoreUnavailableError
from interlock_contracts.refs import ArtifactRef
from interlock_jobs.job_log import secret_values
from interlock_jobs.launcher import Job, JobState, RayLauncher

from tests.support.issuer import ISSUED, Issuer, Request

JOB = ArtifactRef(sha256="ab" * 32, bytes=10)
NODE = "ab" * 28
UNTIL = datetime(2030, 1, 1, tzinfo=UTC)


class Head:
    """The Jobs API of a head, with Ray's manners: an id that is taken is answered with 500, as trouble is."""

    def __init__(self, *, in_trouble: bool = False, down: bool = False) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.statuses: dict[str, str] = {}
        self.logs: dict[str, bytes] = {}
        self.stopped: list[str] = []
        self._in_trouble = in_trouble
        self._down = down

    def launcher(self, issuer: Issuer | None = None, python: str = "python3") -> RayLauncher:
        launcher = RayLauncher("http://ray", None, python, issuer)  # type: ignore[arg-type]
        launcher._http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url="http://ray")
        return launcher

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self._down:
            raise httpx.ConnectError("connection refused")
        if request.url.path == "/api/v0/logs/file":
            assert request.url.params["node_id"] == NODE
            printed = self.logs.get(request.url.params["submission_id"])
            return httpx.Response(500, text="no such file") if printed is None else httpx.Response(200, content=printed)
        name = request.url.path.removeprefix("/api/jobs/").removesuffix("/stop")
        if request.method == "POST" and not name:
            body = json.loads(request.content)
            if self._in_trouble or body["submission_id"] in self.jobs:
                return httpx.Response(500, text="a traceback")
            self.jobs[body["submission_id"]] = body
            return httpx.Response(200, json={})
        if request.method == "POST":
            self.stopped.append(name)
            return httpx.Response(200, json={"stopped": True})
        if name not in self.jobs:
            return httpx.Response(404)
        told = {"status": self.statuses.get(name, "PENDING"), "message": None, "driver_node_id": NODE}
        return httpx.Response(200, json=told | {"runtime_env": self.jobs[name].get("runtime_env")})


async def submit(launcher: RayLauncher) -> None:
    await launcher.submit(
        "x-a1", "interlock_trainer", JOB, metadata={"model": "m"}, prefix="runs/x/1", until=UNTIL, reads=["in/1"]
    )


async def test_a_job_is_a_program_with_its_reference_and_credentials_of_its_own() -> None:
    """They are issued for the job's id, prefix and time; the interpreter may lie anywhere."""
    head, issuer = Head(), Issuer()
    await submit(head.launcher(issuer, python="/opt/my venv/python"))

    assert head.jobs["x-a1"] == {
        "submission_id": "x-a1",
        "entrypoint": f"'/opt/my venv/python' -m interlock_trainer --job {'ab' * 32}:10",
        "metadata": {"model": "m"},
        "runtime_env": {"env_vars": ISSUED},
    }
    assert issuer.requests == [Request("x-a1", "runs/x/1", UNTIL, ["in/1"])]


async def test_without_an_issuer_the_clusters_environment_has_the_keys() -> None:
    """A runtime environment of a job's own would be made by Ray for nothing."""
    head = Head()
    await submit(head.launcher())

    assert "runtime_env" not in head.jobs["x-a1"]


async def test_a_job_without_credentials_is_not_submitted() -> None:
    """It would run, and fail for want of them."""
    head = Head()
    with pytest.raises(StoreUnavailableError, match="issues no credentials"):
        await submit(head.launcher(Issuer(refuses=True)))

    assert not head.jobs


async def test_submitting_again_changes_nothing() -> None:
    """As after a crash between the submission and the record of it."""
    head = Head()
    await submit(head.launcher())
    first = dict(head.jobs)
    await submit(head.launcher())

    assert head.jobs == first


async def test_a_submission_that_ray_refuses_is_an_outage() -> None:
    """Ray's 500 means trouble where its list has no such job."""
    with pytest.raises(ConnectionError, match=r"Ray answered 500: a traceback"):
        await submit(Head(in_trouble=True).launcher())


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PENDING", JobState.ALIVE),
        ("RUNNING", JobState.ALIVE),
        ("SUCCEEDED", JobState.ENDED),
        ("FAILED", JobState.ENDED),
        ("STOPPED", JobState.ENDED),
    ],
)
async def test_the_state_of_a_job_is_rays(status: str, state: JobState) -> None:
    """The message is Ray's own word."""
    head = Head()
    await submit(head.launcher())
    head.statuses["x-a1"] = status

    assert await head.launcher().job("x-a1") == Job(state, f"{status}: ")


async def test_a_job_that_ray_does_not_know_is_unknown() -> None:
    """As one that was never submitted, or that a head has forgotten."""
    assert await Head().launcher().job("x-a1") == Job(JobState.UNKNOWN)


async def test_the_log_of_a_job_is_what_it_printed_without_its_credentials() -> None:
    """What was issued to it is known from the job itself, whichever process has submitted it."""
    head = Head()
    await submit(head.launcher(Issuer()))
    head.statuses["x-a1"] = "RUNNING"
    told = "".join(f"{name}={value}\n" for name, value in ISSUED.items())
    head.logs["x-a1"] = f"begin\n{told}end\n".encode()
    shown = await head.launcher().log("x-a1")

    assert shown is not None
    assert shown.startswith("begin\n")
    assert shown.endswith("end\n")
    hidden = secret_values(ISSUED)
    assert hidden
    assert not [value for value in hidden if value in shown]


async def test_a_job_that_waits_has_printed_nothing() -> None:
    """Ray has no file for it yet, and answers a question for it with 500."""
    head = Head()
    await submit(head.launcher())

    assert await head.launcher().log("x-a1") == ""
    assert await head.launcher().log("unknown") is None


async def test_a_log_that_ray_does_not_give_is_an_outage() -> None:
    """Its 500 may be trouble that passes."""
    head = Head()
    await submit(head.launcher())
    head.statuses["x-a1"] = "FAILED"
    with pytest.raises(ConnectionError, match=r"Ray answered 500: no such file"):
        await head.launcher().log("x-a1")


async def test_stopping_asks_ray_by_the_jobs_id() -> None:
    """Whatever the job's state is."""
    head = Head()
    await head.launcher().stop("x-a1")

    assert head.stopped == ["x-a1"]


@pytest.mark.parametrize(
    "call",
    [
        submit,
        lambda launcher: launcher.job("x-a1"),
        lambda launcher: launcher.log("x-a1"),
        lambda launcher: launcher.stop("x-a1"),
        RayLauncher.ping,
    ],
    ids=["submit", "job", "log", "stop", "ping"],
)
async def test_a_cluster_that_does_not_answer_is_an_outage(call: Callable[[RayLauncher], Awaitable[object]]) -> None:
    """Callers wait for it, as for every other dependency."""
    with pytest.raises(ConnectionError, match="Ray does not answer"):
        await call(Head(down=True).launcher())
