"""Job launcher: programs as Ray jobs over the Jobs API, with scoped credentials; all that services know of Ray."""

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import httpx
from interlock_artifacts.scoped_credentials import CredentialIssuer
from interlock_contracts.refs import ArtifactRef

from interlock_jobs.arguments import format_ref
from interlock_jobs.job_log import LOG_LINES, LogTail, secret_values

NOT_FOUND = 404


class JobState(Enum):
    """The state of a job on Ray, as far as it matters here."""

    UNKNOWN = "unknown"
    ALIVE = "alive"
    ENDED = "ended"


@dataclass(frozen=True)
class Job:
    """One job; ``message`` is Ray's own word on how it ended."""

    state: JobState
    message: str = ""


class RayLauncher:
    """A cluster's jobs, run by its interpreter ``python``.

    Without an ``issuer``, the cluster's own environment has the keys to the object store.
    Every method raises ConnectionError while the cluster does not answer.
    """

    def __init__(self, address: str, token: str | None, python: str, issuer: CredentialIssuer | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(base_url=address, headers=headers, timeout=20)
        self._secrets = [token] if token else []
        self._python = python
        self._issuer = issuer

    async def job(self, submission_id: str) -> Job:
        """Return what Ray knows of a job; UNKNOWN when it knows none, as after a restart of its head."""
        response = await self._call("GET", f"/api/jobs/{submission_id}")
        if response.status_code == NOT_FOUND:
            return Job(JobState.UNKNOWN)
        answer = _json(response)
        alive = answer["status"] in ("PENDING", "RUNNING")
        return Job(JobState.ALIVE if alive else JobState.ENDED, f"{answer['status']}: {answer.get('message') or ''}")

    async def submit(
        self,
        submission_id: str,
        program: str,
        job: ArtifactRef,
        *,
        metadata: dict[str, str],
        prefix: str,
        until: datetime,
        reads: Sequence[str] = (),
    ) -> None:
        """Start ``python -m <program> --job <job>`` under an id of ours; starting it again changes nothing.

        Its credentials hold until then: they read and write below ``prefix``, and read the keys in ``reads``. Whoever
        has the cluster's token can read them.

        Raises:
            ConnectionError: Ray does not answer or refuses the job, or the object store issues no credentials.
        """
        entrypoint = f"{shlex.quote(self._python)} -m {program} --job {format_ref(job)}"
        body: dict[str, Any] = {"submission_id": submission_id, "entrypoint": entrypoint, "metadata": metadata}
        if self._issuer is not None:
            issued = await asyncio.to_thread(self._issuer.issue, submission_id, prefix, until, reads=reads)
            body["runtime_env"] = {"env_vars": issued}
        response = await self._call("POST", "/api/jobs/", json=body)
        # Ray answers 500 both for "exists already" and for real trouble; only the job list distinguishes them.
        if response.is_error and (await self.job(submission_id)).state is JobState.UNKNOWN:
            _json(response)

    async def log(self, submission_id: str) -> str | None:
        """Return the end of what a job has printed so far, secrets masked; None where Ray does not know the job.

        Masked are the cluster's token and the secret values of the job's environment, such as its credentials.
        """
        response = await self._call("GET", f"/api/jobs/{submission_id}")
        if response.status_code == NOT_FOUND:
            return None
        job = _json(response)
        node = job.get("driver_node_id")
        if job["status"] == "PENDING" or node is None:  # no process has been started for it yet
            return ""
        environment = (job.get("runtime_env") or {}).get("env_vars") or {}
        return (await self._tail(submission_id, node)).text([*self._secrets, *secret_values(environment)])

    async def _tail(self, submission_id: str, node: str) -> LogTail:
        # Not the Jobs API's own route: that reads the whole file, of whatever size, into one string of JSON.
        asked: dict[str, str | int] = {"node_id": node, "submission_id": submission_id, "lines": LOG_LINES + 1}
        tail = LogTail()
        try:
            async with self._http.stream("GET", "/api/v0/logs/file", params=asked) as response:
                if response.is_error:
                    await response.aread()
                    raise _refused(response)
                async for piece in response.aiter_bytes():
                    tail.add(piece)
        except httpx.TransportError as error:
            raise _silent(error) from error
        return tail

    async def stop(self, submission_id: str) -> None:
        """Ask Ray to stop a job; one that has ended or is not known stays as it is."""
        await self._call("POST", f"/api/jobs/{submission_id}/stop")

    async def ping(self) -> None:
        """Ask for the cluster's version."""
        _json(await self._call("GET", "/api/version"))

    async def close(self) -> None:
        await self._http.aclose()

    async def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return await self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise _silent(error) from error


def _json(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise _refused(response)
    answer: dict[str, Any] = response.json()
    return answer


def _refused(response: httpx.Response) -> ConnectionError:
    return ConnectionError(f"Ray answered {response.status_code}: {response.text[:500]}")


def _silent(error: httpx.TransportError) -> ConnectionError:
    return ConnectionError(f"Ray does not answer: {error!r}")
