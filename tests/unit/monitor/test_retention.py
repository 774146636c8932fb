"""How long each model's log is kept: as its newest pipeline declares."""

from typing import Any

import httpx
import pytest
from interlock_contracts.http import PipelineView
from interlock_monitor.app import declared_days
from interlock_runtime.clients import RegistryClient
from pydantic import SecretStr

from tests.unit.cli.views import NOW, SPEC


def registry(answer: httpx.Response) -> RegistryClient:
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer))
    return RegistryClient("registry", "http://registry", SecretStr("a-key-of-sixteen-or-more"), client)


def view(name: str, **monitoring: Any) -> dict[str, Any]:
    spec = SPEC.model_validate({**SPEC.model_dump(mode="json"), "name": name, "monitoring": monitoring})
    shown = PipelineView(name=name, digest=spec.digest, revision=1, applied_at=NOW, changed=False, spec=spec)
    dumped: dict[str, Any] = shown.model_dump(mode="json")
    return dumped


async def test_days_are_those_of_the_pipelines_that_declare_them() -> None:
    """The others are left to the deployment."""
    answer = httpx.Response(200, json=[view("a", prediction_log_days=90), view("b")])

    assert await declared_days(registry(answer)) == {"a": 90}


async def test_a_registry_that_does_not_answer_is_no_reason_to_delete() -> None:
    """It may declare more days than the deployment."""
    with pytest.raises(ConnectionError):
        await declared_days(registry(httpx.Response(503)))
