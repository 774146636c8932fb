"""A client, the gateway, the bus and a replica: an asynchronous prediction as its user meets it."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.support import gateway_process, prediction_process
from tests.support.gateway_app import client
from tests.support.stored_models import ROW
from tests.support.waiting import until

pytestmark = pytest.mark.integration


async def test_a_client_asks_listens_and_reads_at_one_door(servers: dict[str, str], tmp_path: Path) -> None:
    """202 with an address, the end as a server-sent event, the answer there; a repeat of the key is the same one."""
    model = f"m-{uuid4().hex[:8]}"
    async with prediction_process.running(servers, tmp_path / "prediction", replicas=1) as predictions:
        predictions.serve(model)
        url = predictions.replicas[0].url
        async with (
            gateway_process.running(servers, tmp_path / "gateway", prediction_url=url) as gateway,
            client(gateway.url) as http,
        ):
            gateway.behind.promote(predictions.served[model], seq=1)
            await until(gateway.is_subscribed, seconds=90)  # in both workers: the next connection may be the other's
            body, key = {"rows": [ROW]}, {"Idempotency-Key": "once"}
            accepted = await http.post(f"/models/{model}/predictions", json=body, headers=key)
            assert accepted.status_code == 202, accepted.text
            links = accepted.json()["links"]
            async with http.stream("GET", links["events"]) as stream:
                received = [line async for line in stream.aiter_lines()]
            seen = await http.get(accepted.headers["Location"])
            again = await http.post(f"/models/{model}/predictions", json=body, headers=key)
            other = await http.post(f"/models/{model}/predictions", json={"rows": [ROW, ROW]}, headers=key)
            late = await http.post(links["cancel"])

    assert "event: completed" in received
    assert seen.json()["answer"]["predictions"] == [1003.0]
    assert again.json()["id"] == accepted.json()["id"]
    assert other.status_code == 422
    assert late.status_code == 409
