"""A gateway, the monitor, a broker and a database: what is predicted is logged, and truth finds it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from interlock_contracts.event import Event
from interlock_contracts.predictions import FeedbackReceived, LoggedPrediction, PredictionLogged
from interlock_contracts.quality import QualityView, VersionQuality
from interlock_messaging import Bus, topology
from interlock_monitor.app import create_app
from interlock_monitor.settings import MonitorSettings

from tests.integration.gateway.test_outages import Cable
from tests.support.api_keys import SETTINGS
from tests.support.dependencies import dependency
from tests.support.gateway_app import listening
from tests.support.gateway_process import Gateway, running, store_of
from tests.support.queues import purge
from tests.support.stored_models import ROW, put_model
from tests.support.waiting import until

pytestmark = pytest.mark.integration


class System:
    """A gateway with one worker, whose line to the broker can be cut, and the monitor behind it."""

    def __init__(self, gateway: Gateway, cable: Cable, bus: Bus, servers: dict[str, str]) -> None:
        self.gateway = gateway
        self.cable = cable
        self.model = f"m-{uuid4().hex[:8]}"
        self._bus = bus
        self._servers = servers

    async def serve(self) -> None:
        self.gateway.behind.promote(put_model(store_of(self._servers), 1, model=self.model), seq=1)

        async def serves() -> bool:
            return any(each.get(self.model) == 1 for each in (await self.gateway.workers()).values())

        await until(serves, seconds=90)

    async def predict(self, *sizes: float) -> str:
        rows = [ROW | {"size": size} for size in sizes]
        answer = await self.gateway.ask("POST", f"/models/{self.model}/predict", json={"rows": rows})
        assert answer.status_code == 200, answer.text
        name: str = answer.json()["id"]
        return name

    async def tell(self, truths: dict[str, Any], **headers: str) -> Any:
        feedback = [{"prediction": name, "actual": actual} for name, actual in truths.items()]
        path = f"/models/{self.model}/feedback"
        answer = await self.gateway.ask("POST", path, json={"feedback": feedback}, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def version(self) -> VersionQuality:
        answer = await self.gateway.ask("GET", f"/models/{self.model}/quality")
        assert answer.status_code == 200, answer.text
        found = QualityView.model_validate(answer.json()).versions
        return found[0] if found else VersionQuality(version=0)

    async def becomes(self, **numbers: int) -> VersionQuality:
        async def look() -> VersionQuality | None:
            seen = await self.version()
            return seen if {name: getattr(seen, name) for name in numbers} == numbers else None

        found: VersionQuality = await until(look, seconds=30)
        return found

    async def enqueue(self, event: Event, cause: str) -> None:
        await self._bus.publish(event, cause=cause)


@asynccontextmanager
async def monitor(servers: dict[str, str]) -> AsyncIterator[tuple[str, Bus]]:
    """Run the monitor in this process; return its address and its bus."""
    settings: dict[str, Any] = {
        **SETTINGS,
        "registry_url": "http://127.0.0.1:1",
        **{name: servers[f"INTERLOCK_{name.upper()}"] for name in ("amqp_url", "postgres_url")},
    }
    app = create_app(MonitorSettings(**settings))
    consumed = (topology.queue("monitor", event).name for event in (PredictionLogged, FeedbackReceived))
    await purge(servers["INTERLOCK_AMQP_URL"], *consumed)
    async with listening(app) as url:
        yield url, dependency(app, Bus)


@pytest.fixture(scope="module")
async def shared(
    servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Gateway, Cable, Bus]]:
    cable = Cable(servers["INTERLOCK_AMQP_URL"])
    await cable.plug()
    folder = tmp_path_factory.mktemp("gateway")
    one = {"gateway_workers": "1", "gateway_reconcile_seconds": "0.2", "prediction_log_rows_per_second": "0.001"}
    async with (
        monitor(servers) as (url, bus),
        running(servers, folder, amqp_url=cable.url, monitor_url=url, **one) as gateway,
    ):
        try:
            yield gateway, cable, bus
        finally:
            await cable.close()


@pytest.fixture
async def system(shared: tuple[Gateway, Cable, Bus], servers: dict[str, str]) -> System:
    made = System(*shared, servers)
    await made.serve()
    return made


async def test_what_is_predicted_is_logged_and_truth_finds_it_early_and_late(system: System) -> None:
    """Through the gateway and back: the id in the answer is all that a client keeps."""
    first = await system.predict(3.0, 4.0)
    early = await system.tell({f"{first}/0": 1003.5})
    assert early == {"accepted": 1, "unsampled": 0, "warnings": []}
    await system.becomes(answered=2, logged=2, joined=1)
    second = await system.predict(5.0)
    await system.tell({f"{second}/0": 1005, f"{first}/1": 1005.0, f"{uuid4()}/0": 1.0})
    found = await system.becomes(answered=3, logged=3, joined=3)

    assert found.dropped == 0
    assert found.metrics["mae"] == pytest.approx(0.5)


async def test_every_protocol_is_logged_and_gives_the_name_that_feedback_needs(system: System) -> None:
    """A client keeps to its protocol: the response's id, or a header where the protocol has none."""
    size = {"name": "size", "datatype": "FP64", "shape": [2], "data": [3.0, 4.0]}
    color = {"name": "color", "datatype": "BYTES", "shape": [2], "data": ["red", "green"]}
    path, own = f"/v2/models/{system.model}/infer", str(uuid4())
    named = await system.gateway.ask("POST", path, json={"id": own, "inputs": [size, color]})
    unnamed = await system.gateway.ask("POST", path, json={"inputs": [size, color]})
    mlflow = await system.gateway.ask("POST", f"/models/{system.model}/invocations", json={"inputs": [ROW]})
    assert named.json()["id"] == own
    names = [f"{own}/0", f"{own}/1", f"{unnamed.json()['id']}/0", f"{mlflow.headers['interlock-prediction']}/0"]
    await system.tell(dict.fromkeys(names, 1003.0))

    await system.becomes(answered=5, logged=5, joined=4)


async def test_a_repeated_feedback_counts_once_and_a_correction_counts(system: System) -> None:
    """The same request twice, then the truth after all."""
    name = f"{await system.predict(3.0)}/0"
    for _ in range(2):
        await system.tell({name: 1001.0}, **{"Idempotency-Key": "once"})
    await system.becomes(joined=1)
    await system.tell({name: 1002.0})

    async def corrected() -> bool:
        return (await system.version()).metrics["mae"] == pytest.approx(1.0)

    await until(corrected)


async def test_an_event_that_is_delivered_twice_counts_once(system: System) -> None:
    """The worker repeats an event whose confirm it missed; its id tells."""
    row = LoggedPrediction(prediction=f"{uuid4()}/0", at=datetime.now(UTC), values=[1, "red"], answer=1.0)
    event = PredictionLogged(
        model=system.model,
        version=1,
        promotion_seq=1,
        worker="w",
        until=row.at,
        ratio=1.0,
        answered=5,
        dropped=4,
        features=["size", "color"],
        rows=[row],
    )
    for cause in ("log/one", "log/one", "log/two"):
        await system.enqueue(event, cause)

    found = await system.becomes(answered=10, dropped=8)
    assert found.joined == 0


async def test_while_the_broker_is_away_predictions_go_on_and_what_is_lost_is_counted(system: System) -> None:
    """No request waits or fails for the log; when the broker is back, kept and dropped add up to all."""
    await system.cable.cut()
    for _ in range(4):
        await system.predict(*([3.0] * 4000))
    refused = await system.gateway.ask(
        "POST", f"/models/{system.model}/feedback", json={"feedback": [{"prediction": f"{uuid4()}/0", "actual": 1}]}
    )
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")

    await system.cable.plug()
    await system.becomes(answered=16_000, logged=10_000, dropped=6_000)
    view = (await system.gateway.ask("GET", "/serving")).json()["log"]
    assert view["dropped"] >= 6_000
    counted = (await system.gateway.ask("GET", "/metrics")).text
    assert f'interlock_prediction_log_dropped_total{{model="{system.model}"' in counted
