"""What NVIDIA's HTTP client sees: ``python over_http.py '{"address": …, "key": …}'``."""

import json
import sys

import numpy as np
import tritonclient.http as client
from tritonclient.utils import InferenceServerException

given = json.loads(sys.argv[1])


def key() -> dict[str, str]:
    """Return the headers of one call; the client writes its own into them."""
    return {"Authorization": f"Bearer {given['key']}"}


server = client.InferenceServerClient(given["address"])


def inputs(*, binary: bool) -> list[client.InferInput]:
    """Return one row more than the other protocols' clients ask, in a matrix of one column and in a vector."""
    size = client.InferInput("size", [2, 1], "FP32")
    size.set_data_from_numpy(np.array([[1.0], [4.0]], np.float32), binary_data=binary)
    color = client.InferInput("color", [2], "BYTES")
    color.set_data_from_numpy(np.array(["red", "grün"], object), binary_data=binary)
    return [size, color]


def asked(model: str, *, binary: bool) -> dict[str, object]:
    """Return the answers to one call, with every output as the client reads it."""
    names = [each["name"] for each in server.get_model_metadata(model, headers=key())["outputs"]]
    wanted = None if binary else [client.InferRequestedOutput(name, binary_data=False) for name in names]
    result = server.infer(model, inputs(binary=binary), request_id="7", outputs=wanted, headers=key())
    answer = result.get_response()
    return {
        "id": answer["id"],
        "version": answer["model_version"],
        "outputs": {name: result.as_numpy(name).tolist() for name in names},
        "parameters": [each.get("parameters", {}) for each in answer["outputs"]],
    }


def refused(**options: object) -> dict[str, object]:
    """Return how the client shows a refusal."""
    try:
        server.infer(**{"model_name": "flights", "inputs": inputs(binary=True), "headers": key(), **options})
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}
    return {}


compressed = server.infer(
    "flights",
    inputs(binary=True),
    request_compression_algorithm="gzip",
    response_compression_algorithm="gzip",
    headers=key(),
)
seen = {
    "live": server.is_server_live(),
    "ready": server.is_server_ready(),
    "model_ready": [server.is_model_ready(name, headers=key()) for name in ("flights", "nobody")],
    "version_ready": [server.is_model_ready("flights", version, headers=key()) for version in ("1", "2")],
    "server": server.get_server_metadata(headers=key()),
    "metadata": server.get_model_metadata("sales", "1", headers=key()),
    "index": server.get_model_repository_index(headers=key()),
    "binary": {model: asked(model, binary=True) for model in ("flights", "sales")},
    "json": {model: asked(model, binary=False) for model in ("flights", "sales")},
    "compressed": compressed.as_numpy("prediction").tolist(),
    "unknown_model": refused(model_name="nobody"),
    "no_key": refused(headers=None),
    "wrong_tensors": refused(inputs=inputs(binary=True)[1:]),
}
server.unload_model("sales", headers=key())
seen["unloaded"] = server.is_model_ready("sales", headers=key())
server.load_model("sales", headers=key())
seen["loaded"] = server.is_model_ready("sales", headers=key())
print(json.dumps(seen))
