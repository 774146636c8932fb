"""A job of a test's own on a stack's Ray: any command, unlike those that services launch."""

from uuid import uuid4

import httpx
from interlock_jobs.launcher import Job, JobState, RayLauncher

from tests.support.waiting import until


async def run_command(
    settings: dict[str, str], command: str, environment: dict[str, str] | None = None
) -> tuple[Job, str | None]:
    """Run a command as a job and return its end and its log."""
    address, token = settings["INTERLOCK_RAY_ADDRESS"], settings["INTERLOCK_RAY_TOKEN"]
    job_id = f"job-{uuid4()}"
    given = {"runtime_env": {"env_vars": environment}} if environment else {}
    body = {"submission_id": job_id, "entrypoint": command, **given}
    async with httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=20) as http:
        (await http.post("/api/jobs/", json=body)).raise_for_status()
    ray = RayLauncher(address, token, "python")

    async def ended() -> Job | None:
        job = await ray.job(job_id)
        return job if job.state is JobState.ENDED else None

    try:
        found: Job = await until(ended, seconds=300)
        return found, await ray.log(job_id)
    finally:
        await ray.close()
