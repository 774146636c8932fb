"""What a running stack tells Prometheus: exactly what is declared, and truly."""

import asyncio
from collections.abc import Iterable
from typing import Any

import grpc
import httpx
import pytest
from interlock_contracts.deployment import NAMES, address_of
from interlock_contracts.metrics import DEPENDENCY_UP, METRICS
from interlock_gateway.protocols import open_inference_pb2 as pb
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.stack_user import ROW, User, csv
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

OTHER_PROTOCOLS = ("open-inference", "mlflow", "grpc")
GENERAL = ("python_", "process_")


class Told:
    """What every service tells, once asked."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.families: dict[str, list[Metric]] = {
            service: list(text_string_to_metric_families(text)) for service, text in texts.items()
        }

    def value(self, service: str, name: str, /, **labels: str) -> float:
        """Return the sum of a service's samples of this name with these labels."""
        found = [each for family in self.families[service] for each in family.samples if each.name == name]
        return sum(each.value for each in found if labels.items() <= each.labels.items())

    def names(self) -> set[str]:
        """Return the names of everything that is told."""
        return {family.name for families in self.families.values() for family in families}

    def workers(self) -> set[str]:
        """Return the gateway's workers that something is told of."""
        samples = [each for family in self.families["gateway"] for each in family.samples]
        return {each.labels["worker"] for each in samples if "worker" in each.labels}


async def scraped(user: User) -> Told:
    async with httpx.AsyncClient(timeout=10) as http:
        addresses = {name: f"{user.env[address_of(name)]}/metrics" for name in NAMES}
        answers = await asyncio.gather(*(http.get(address) for address in addresses.values()))
    assert {each.status_code for each in answers} == {200}
    return Told({name: each.text for name, each in zip(addresses, answers, strict=True)})


async def asked_by_every_protocol(user: User, name: str) -> None:
    """Ask for 2 rows, 1, 1 and 1, and once for what does not fit."""
    assert (await user.predict(name, ROW, ROW)).is_success
    assert (await user.predict(name, {"size": "big"})).status_code == 422
    tensors = [
        {"name": "size", "datatype": "FP64", "shape": [1], "data": [1.0]},
        {"name": "color", "datatype": "BYTES", "shape": [1], "data": ["red"]},
    ]
    await user.json("POST", f"/v2/models/{name}/infer", json={"inputs": tensors})
    await user.json("POST", f"/models/{name}/invocations", json={"dataframe_records": [ROW]})
    inputs: Iterable[Any] = [
        {"name": "size", "datatype": "FP64", "shape": [1], "contents": {"fp64_contents": [1.0]}},
        {"name": "color", "datatype": "BYTES", "shape": [1], "contents": {"bytes_contents": [b"red"]}},
    ]
    async with grpc.aio.insecure_channel(user.env["INTERLOCK_GRPC_URL"]) as channel:
        infer = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=pb.ModelInferRequest.SerializeToString,
            response_deserializer=pb.ModelInferResponse.FromString,
        )
        bearer = ("authorization", f"Bearer {user.env['INTERLOCK_API_KEY']}")
        await infer(pb.ModelInferRequest(model_name=name, inputs=inputs), metadata=[bearer])
    later = await user.json("POST", f"/models/{name}/predictions", json={"rows": [ROW]})

    async def answered() -> bool:
        found = await user.http.get(later["links"]["self"])
        return found.is_success and found.json()["state"] == "completed"

    await until(answered, seconds=60)


async def test_a_stack_tells_what_is_declared_and_what_has_happened(user: User) -> None:
    """One model on its whole way, asked by every protocol; no metric is missing, none is told that nobody declared."""
    name = await user.apply()
    await user.ingest(name, csv(200, seed=1))
    run = await user.ended(await user.retrain(name))
    assert run["state"] == "succeeded", run["reason"]
    await user.serves(name, 1)
    await asked_by_every_protocol(user, name)

    declared = {each.name.removesuffix("_total"): each for each in METRICS.values()}

    async def copied() -> Told | None:
        """A worker that was not scraped itself has left its copy a second later."""
        told = await scraped(user)
        counted = [
            told.value("gateway", "interlock_predict_rows_total", model=name, protocol=each) for each in OTHER_PROTOCOLS
        ]
        refused = told.value("gateway", "interlock_predict_requests_total", model=name, status="422")
        held = [
            told.value("gateway", each, model=name)
            for each in ("interlock_serving_version", "interlock_model_loads_total")
        ]
        everywhere = held == [len(told.workers())] * 2
        # What takes two seconds to look up is left out of an answer.
        whole = declared.keys() <= told.names() and told.value("registry", DEPENDENCY_UP.name, name="postgres")
        return told if whole and everywhere and counted == [1, 1, 1] and refused == 1 else None

    told = await until(copied, seconds=60)

    seen: dict[str, set[str]] = {}
    for service, families in told.families.items():
        for family in families:
            if family.name.startswith(GENERAL):
                continue
            metric = declared[family.name]
            assert (family.type, family.documentation) == (metric.kind, metric.help), family.name
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            of_worker = {"worker"} if service == "gateway" and metric != DEPENDENCY_UP else set()
            assert labels in (set(), {*metric.labels, *of_worker}), family.name
            seen.setdefault(family.name, set()).add(service)
    assert seen.keys() == declared.keys()
    assert not [each for each, by in seen.items() if declared[each].by in NAMES and by != {declared[each].by}]

    for protocol in OTHER_PROTOCOLS:
        about = {"model": name, "protocol": protocol}
        assert told.value("gateway", "interlock_predict_requests_total", status="200", **about) == 1, protocol
        assert told.value("gateway", "interlock_predict_seconds_count", **about) == 1, protocol
    assert told.value("gateway", "interlock_predict_rows_total", model=name, protocol="interlock") >= 2
    for each, expected in {
        "interlock_datasets_total": {"pipeline": name, "verdict": "accepted"},
        "interlock_runs_total": {"model": name, "outcome": "succeeded"},
        "interlock_gate_verdicts_total": {"model": name, "verdict": "passed"},
        "interlock_promoted_version": {"model": name},
        "interlock_promotion_seq": {"model": name},
        "interlock_later_predictions_total": {"model": name, "outcome": "completed"},
    }.items():
        assert told.value(METRICS[each].by, each, **expected) == 1, each
    assert told.value("gateway", "interlock_serving_version", model=name) == len(told.workers())
    assert told.value("gateway", "interlock_model_loads_total", model=name, outcome="served") == len(told.workers())
    quantiles = [
        told.value("gateway", "interlock_predicted_quantile", model=name, quantile=each) for each in ("0.05", "0.95")
    ]
    assert quantiles[0] == pytest.approx(quantiles[1], rel=1e-6), "one row was asked again and again"
    assert told.value("registry", "interlock_message_wait_seconds_count", queue="registry.training.completed") >= 1
    assert told.value("registry", "interlock_dependency_up", name="postgres") == 1
