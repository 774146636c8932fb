"""The field's own clients, unchanged, each in an environment of its own, against a gateway as it is run."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients.environments import make_ready, seen_by
from tests.support.gateway_app import KEY
from tests.support.gateway_process import Gateway

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

MODELS = ["flights", "houses", "sales"]
SIZES = [1001.0, 1004.0]
SOLD = [False, True]
PROBABILITIES = [pytest.approx([0.7310585786300049, 0.2689414213699951]), pytest.approx([0.119202922, 0.880797078])]
TENSORS = [["size", "FP64", [-1]], ["color", "BYTES", [-1]]]
OUTPUTS = [["prediction", "BOOL", [-1]], ["probabilities", "FP64", [-1, 2]]]


async def seen(client: str, script: str, gateway: Gateway) -> dict[str, Any]:
    """Return what a client saw of the gateway."""
    address = urlsplit(gateway.url)

    def look() -> dict[str, Any]:
        make_ready(client)
        where: dict[str, Any] = {
            "url": gateway.url,
            "address": address.netloc,
            "host": address.hostname,
            "port": address.port,
        }
        found: dict[str, Any] = seen_by(client, script, key=KEY, grpc=gateway.grpc, **where)
        return found

    return await asyncio.to_thread(look)


def tensors(described: list[dict[str, Any]]) -> list[list[Any]]:
    return [[each["name"], each["datatype"], each["shape"]] for each in described]


def answered(outputs: dict[str, Any]) -> bool:
    """Return whether both models gave every output, as the client read it."""
    return outputs == {
        "flights": {"prediction": SIZES},
        "sales": {"prediction": SOLD, "probabilities": PROBABILITIES},
    }


async def test_tritonclient_over_http(gateway: Gateway) -> None:
    """NVIDIA's client, tensors in JSON and, as is its default, as bytes; compressed; and the repository."""
    saw = await seen("tritonclient", "over_http.py", gateway)

    assert (saw["live"], saw["ready"]) == (True, True)
    assert (saw["model_ready"], saw["version_ready"]) == ([True, False], [True, False])
    assert saw["server"]["extensions"] == ["binary_tensor_data", "model_repository"]
    assert tensors(saw["metadata"]["inputs"]) == TENSORS
    assert tensors(saw["metadata"]["outputs"]) == OUTPUTS
    assert {each["name"]: each["state"] for each in saw["index"]} == dict.fromkeys(MODELS, "READY")
    for mode in ("binary", "json"):
        assert answered({name: each["outputs"] for name, each in saw[mode].items()})
        assert {(each["id"], each["version"]) for each in saw[mode].values()} == {("7", "1")}
    assert saw["binary"]["sales"]["parameters"][1] == {"labels": "[false, true]", "binary_data_size": 32}
    assert saw["json"]["sales"]["parameters"] == [{}, {"labels": "[false, true]"}]
    assert saw["compressed"] == SIZES
    assert saw["unknown_model"] == {"status": "404", "message": "no pipeline is called 'nobody'; apply one first"}
    assert saw["no_key"]["status"] == "401"
    assert (saw["wrong_tensors"]["status"], "'size' is missing" in saw["wrong_tensors"]["message"]) == ("400", True)
    assert (saw["unloaded"], saw["loaded"]) == (False, True)


async def test_tritonclient_over_grpc(gateway: Gateway) -> None:
    """NVIDIA's client on the gateway's second port."""
    saw = await seen("tritonclient", "over_grpc.py", gateway)

    assert (saw["live"], saw["ready"], saw["model_ready"]) == (True, True, [True, False])
    assert saw["server"] == "interlock"
    assert saw["metadata"] == [*TENSORS, *OUTPUTS]
    assert sorted(saw["index"]) == [[name, "1", "READY"] for name in MODELS]
    assert answered({name: each["outputs"] for name, each in saw["answers"].items()})
    assert {(each["id"], each["version"]) for each in saw["answers"].values()} == {("7", "1")}
    assert saw["unknown_model"]["status"] == "StatusCode.NOT_FOUND"
    assert saw["no_key"]["status"] == "StatusCode.UNAUTHENTICATED"
    assert saw["wrong_tensors"]["status"] == "StatusCode.INVALID_ARGUMENT"
    assert (saw["unloaded"], saw["loaded"]) == (False, True)


async def test_kserve(gateway: Gateway) -> None:
    """KServe's own REST client, tensors in JSON and as bytes."""
    saw = await seen("kserve", "over_http.py", gateway)

    assert (saw["live"], saw["ready"], saw["model_ready"]) == (True, True, [True, False])
    for mode in ("binary", "json"):
        assert answered({name: each["outputs"] for name, each in saw[mode].items()})
        assert {each["id"] for each in saw[mode].values()} == {"7"}
    assert saw["unknown_model"].startswith("no pipeline is called 'nobody'")
    assert "401 Unauthorized" in saw["no_key"]


async def test_the_protocols_generated_client(gateway: Gateway) -> None:
    """Written by a generator from the protocol's own OpenAPI document, so strict about every answer's form."""
    saw = await seen("open_inference", "over_http.py", gateway)

    assert saw["server"]["name"] == "interlock"
    assert saw["version_metadata"] is True
    assert tensors(saw["metadata"]["inputs"]) == TENSORS
    assert saw["metadata"]["properties"]["labels"] == "[false, true]"
    assert saw["answers"]["flights"]["outputs"] == {"prediction": SIZES}
    assert saw["answers"]["sales"]["outputs"]["prediction"] == [0.0, 1.0]  # the client reads numbers before booleans
    assert saw["unknown_model"]["status"] == 404
    assert saw["no_key"]["body"] == {"error": "send the header 'Authorization: Bearer <key>'"}
    assert "'size' is missing" in saw["wrong_tensors"]["body"]["error"]


async def test_mlflow(gateway: Gateway) -> None:
    """MLflow's scoring client: with another port and nothing else, and with the key for any model."""
    saw = await seen("mlflow", "over_http.py", gateway)

    assert saw["version"]
    (warning,) = saw["records"].pop("warnings")  # the client gives on what it does not know
    assert (warning["column"], "is missing" in warning["message"]) == ("color", True)
    assert saw["frame"] == saw["records"] == {"predictions": SIZES}
    assert saw["labels"] == {"predictions": SOLD}
    assert saw["table"] == {"0": SIZES}
    assert "takes no params" in saw["params"]
    assert "columns are found by name" in saw["array"]
    assert "error code 401" in saw["no_key"]
