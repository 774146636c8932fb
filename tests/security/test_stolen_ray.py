"""What somebody holds who runs code on Ray: nothing of ours but what was lent to one job, for its own time."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from interlock_artifacts.scoped_credentials import CredentialIssuer, credential_issuer_of
from interlock_artifacts.store import StoreUnavailableError
from interlock_contracts.deployment import RAY, services_using
from interlock_jobs.job_log import MASK
from interlock_localstack import orphans
from interlock_localstack.state_dir import StateDir

from tests.security.stolen import WITH_STORE, environment
from tests.security.test_stolen_store import BUCKET, admin, client, put, refused
from tests.support.ray_job import run_command

__all__ = ["admin"]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

TOLD = {"ray_token", "identity"}
"""What Ray's processes may know: their own token, the mark of the stack."""


def test_no_process_of_ray_has_anothers_secret_in_its_environment(stack: dict[str, str]) -> None:
    """Jobs inherit the environment of the head; every process that it has started so far is looked at."""
    home = StateDir(Path(stack["INTERLOCK_HOME"]))
    secrets = {path.name: path.read_bytes().strip() for path in (home.root / "secrets").iterdir() if path.is_file()}
    hidden = {name: secret for name, secret in secrets.items() if name not in TOLD and len(secret) >= 16}
    assert {"rabbitmq_interlock_train_dispatch", "postgres_train_dispatch", "s3_secret_prediction"} <= hidden.keys()

    pids = orphans.find_marked(home.mark("ray"))
    assert len(pids) > 1
    for pid in pids:
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
            continue
        assert not [name for name, secret in hidden.items() if secret in environ]
        assert not re.search(rb"INTERLOCK_(AMQP|POSTGRES|API_KEY|SERVICE_KEY|SIGNING_KEY|KEY_PEPPER)", environ)


@pytest.mark.parametrize("path", ["/api/jobs/", "/nodes?view=summary", "/api/version"])
def test_ray_runs_nothing_without_its_token(stack: dict[str, str], path: str) -> None:
    """Its dashboard runs whatever it is given, so it gives no answer to strangers."""
    answer = httpx.get(f"{stack['INTERLOCK_RAY_ADDRESS']}{path}")
    assert answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
    if path == "/api/jobs/":
        job = {"entrypoint": "true"}
        refused = httpx.post(f"{stack['INTERLOCK_RAY_ADDRESS']}{path}", json=job)
        assert refused.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


def lender(stack: dict[str, str], part: str) -> CredentialIssuer:
    """Return what a service lends rights with, or would like to."""
    env = environment(stack, part)
    names = ("endpoint", "access_key", "secret_key", "bucket", "region")
    store = {name: env[f"INTERLOCK_S3_{name.upper()}"] for name in names}
    made = credential_issuer_of(store, environment(stack, "train_dispatch")["INTERLOCK_S3_JOB_ROLE"], None)
    assert made is not None
    return made


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize(("part", "prefix"), [("train_dispatch", "runs/tests/1"), ("prediction", "predictions/tests")])
def test_a_job_reaches_its_own_prefix_and_what_is_found_by_content(
    stack: dict[str, str], part: str, prefix: str
) -> None:
    """Not another run's, nor another prediction's, nor the holdout; but the one upload that it was given to answer."""
    until = datetime.now(UTC) + timedelta(minutes=5)
    lent = lender(stack, part).issue("test", prefix, until, reads=["holdout/tests/object"])
    job = client(lent)

    for key in (f"{prefix}/manifest.json", "sha256/tests/answer"):
        put(job, key)
        job.get_object(BUCKET, key)
    job.get_object(BUCKET, "holdout/tests/object")
    for key in ("runs/tests/object", "runs/tests/2/manifest.json", "predictions/other/0", "incoming/tests/object"):
        assert refused(lambda key=key: job.get_object(BUCKET, key)), key
        assert refused(lambda key=key: put(job, key)), key
    assert refused(lambda: job.get_object(BUCKET, "holdout/tests/other"))
    assert refused(lambda: put(job, "holdout/tests/object"))
    assert refused(lambda: job.remove_object(BUCKET, "sha256/tests/answer"))
    assert refused(lambda: list(job.list_objects(BUCKET, prefix="holdout/")))


@pytest.mark.parametrize("part", sorted({*WITH_STORE} - {*services_using(RAY)}))
def test_no_other_service_is_issued_credentials_for_jobs(stack: dict[str, str], part: str) -> None:
    """A gateway that was broken into cannot write a run's manifest by way of them."""
    with pytest.raises(StoreUnavailableError, match="lends no rights"):
        lender(stack, part).issue("test", "runs/tests/1", datetime.now(UTC))


async def test_a_jobs_log_shows_none_of_its_secrets(stack: dict[str, str]) -> None:
    """One that prints its environment: what was lent to it and the cluster's token are masked, the rest is not."""
    lent = {"INTERLOCK_S3_SECRET_KEY": f"lent-{uuid4()}", "INTERLOCK_S3_SESSION_TOKEN": f"lent-{uuid4()}"}
    job, log = await run_command(stack, "env", {**lent, "COLOUR": "ultramarine"})

    assert job.message.startswith("SUCCEEDED")
    assert log is not None
    assert f"INTERLOCK_S3_SECRET_KEY={MASK}" in log
    assert "COLOUR=ultramarine" in log
    assert not [secret for secret in (*lent.values(), stack["INTERLOCK_RAY_TOKEN"]) if secret in log]
