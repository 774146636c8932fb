"""Canaries for secrets: services run with values of their own, are provoked, and all that they say is searched."""

import os
import subprocess
import sys
import traceback
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from interlock_contracts.deployment import NAMES, address_of
from interlock_gateway.settings import GatewaySettings
from interlock_ingest.settings import IngestSettings
from interlock_prediction.settings import PredictionSettings
from interlock_registry.settings import RegistrySettings
from interlock_runtime.settings import Settings
from pydantic import ValidationError

from tests.benchmarks.serving.processes import kill_session, stop
from tests.support.api_keys import ENVIRONMENT
from tests.support.gateway_app import bound
from tests.support.waiting import until

SERVICES = ["gateway", "registry"]
"""All others read their settings and connect as these do."""
CANARY = "canary-that-nobody-may-see"
NOWHERE = "127.0.0.1:1"
SECRET = {
    "INTERLOCK_AMQP_URL": f"amqp://somebody:{CANARY}-amqp@{NOWHERE}/interlock",
    "INTERLOCK_POSTGRES_URL": f"postgresql://somebody:{CANARY}-postgres@{NOWHERE}/interlock",
    "INTERLOCK_S3_SECRET_KEY": f"{CANARY}-s3",
    "INTERLOCK_S3_ACCESS_KEY": f"{CANARY}-s3-access",
    "INTERLOCK_SERVICE_KEY": f"{CANARY}-service",
    "INTERLOCK_KEY_PEPPER": f"{CANARY}-pepper",
    "INTERLOCK_RAY_TOKEN": f"{CANARY}-ray",
    "INTERLOCK_WEBHOOK_SECRET": f"{CANARY}-webhook",
    "INTERLOCK_SIGNING_KEY": f"-----BEGIN PRIVATE KEY-----\n{CANARY}-signing\n-----END PRIVATE KEY-----",
}
PLAIN = {
    "INTERLOCK_S3_ENDPOINT": f"http://{NOWHERE}",
    "INTERLOCK_RAY_ADDRESS": f"http://{NOWHERE}",
    "INTERLOCK_SIGNING_PUBLIC_KEY": "no key at all",
    **{address_of(name): f"http://{NOWHERE}" for name in NAMES},
}


def started(service: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start a service that reaches nothing; what it says goes to a file of its own."""
    sock = bound()
    port = sock.getsockname()[1]
    sock.close()
    own = {
        "INTERLOCK_PORT": str(port),
        "INTERLOCK_SPANS_DIR": str(folder),
        "INTERLOCK_LOG_LEVEL": "DEBUG",
        "INTERLOCK_CACHE_DIR": str(folder / "cache"),
    }
    env = {"PATH": os.environ["PATH"], **ENVIRONMENT, **PLAIN, **SECRET, **own}
    with (folder / f"{service}.log").open("wb") as log:
        command = [sys.executable, "-m", f"interlock_{service}"]
        return subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder, start_new_session=True)


async def test_what_cannot_be_reached_is_told_without_its_password(tmp_path: Path) -> None:
    """Broker, database, object store and peers are all down; whoever reads the log learns where, not with what."""
    logs = [tmp_path / f"{service}.log" for service in SERVICES]
    async with AsyncExitStack() as running:
        for service in SERVICES:
            process = started(service, tmp_path)
            running.callback(kill_session, process.pid)
            running.push_async_callback(stop, process, 30)
        await until(lambda: all(log.stat().st_size for log in logs), seconds=90)
    for log in logs:
        assert CANARY not in log.read_text(errors="replace"), log.name


@pytest.mark.parametrize("settings", [GatewaySettings, PredictionSettings, RegistrySettings, IngestSettings])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("POSTGRES_URL", f"postgresql//somebody:{CANARY}@db/interlock"),
        ("POSTGRES_URL", f"mysql://somebody:{CANARY}@db/interlock"),
        ("POSTGRES_URL", f"postgresql://somebody:{CANARY}@db:99999/interlock"),
        ("S3_ENDPOINT", f"http://somebody:{CANARY}@store/path"),
        ("REGISTRY_URL", f"http://somebody:{CANARY}@registry/path"),
        ("RAY_ADDRESS", f"http://somebody:{CANARY}@ray/path"),
        ("KEY_PEPPER", CANARY[:12]),
        ("SERVICE_KEY", CANARY[:12]),
        ("KEY_HASHES", f"admin={CANARY}"),
        ("WEBHOOK_SECRET", CANARY[:12]),
    ],
)
def test_a_setting_that_is_wrong_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, settings: type[Settings], variable: str, value: str
) -> None:
    """A validation error shows its input by default: a mistyped URL would stand in the log with its password."""
    if variable.lower() not in settings.model_fields:
        return
    for name, sound in {**ENVIRONMENT, **PLAIN, **SECRET, f"INTERLOCK_{variable}": value}.items():
        monkeypatch.setenv(name, sound)
    with pytest.raises(ValidationError) as wrong:
        settings()
    said = "".join(traceback.format_exception(wrong.value))
    assert CANARY[:12] not in said
    assert variable.lower() in said


def test_settings_do_not_show_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody will print them one day."""
    for name, sound in {**ENVIRONMENT, **PLAIN, **SECRET}.items():
        monkeypatch.setenv(name, sound)
    for settings in (GatewaySettings, PredictionSettings, RegistrySettings, IngestSettings):
        said = repr(settings())
        assert CANARY not in said
