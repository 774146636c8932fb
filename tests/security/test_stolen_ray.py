"""What somebody holds who runs code on Ray: three prefixes of the object store, and nothing else of ours."""

import re
from pathlib import Path

import httpx
import pytest
from interlock_cli.stack import leftovers
from interlock_cli.stack.home import Home

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

TOLD = {"ray_token", "identity", "s3_access_trainer", "s3_secret_trainer"}
"""What Ray's processes may know: their own token, the mark of the stack, the keys of jobs."""


def test_no_process_of_ray_has_anothers_secret_in_its_environment(stack: dict[str, str]) -> None:
    """Jobs inherit the environment of the head; every process that it has started so far is looked at."""
    home = Home(Path(stack["INTERLOCK_HOME"]))
    secrets = {path.name: path.read_bytes().strip() for path in (home.root / "secrets").iterdir() if path.is_file()}
    hidden = {name: secret for name, secret in secrets.items() if name not in TOLD and len(secret) >= 16}
    assert {"rabbitmq_interlock_train_dispatch", "postgres_train_dispatch", "s3_secret_admin"} <= hidden.keys()

    pids = leftovers.marked(home.mark("ray"))
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
