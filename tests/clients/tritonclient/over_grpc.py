"""What NVIDIA's gRPC client sees: ``python over_grpc.py '{"grpc": …, "key": …}'``."""

import json
import sys

import numpy as np
import tritonclient.grpc as client
from tritonclient.utils import InferenceServerException

given = json.loads(sys.argv[1])
key = {"authorization": f"Bearer {given['key']}"}
server = client.InferenceServerClient(given["grpc"])


def inputs() -> list[client.InferInput]:
    """Return two rows."""
    size = client.InferInput("size", [2], "FP64")
    size.set_data_from_numpy(np.array([1.0, 4.0]))
    color = client.InferInput("color", [2, 1], "BYTES")
    color.set_data_from_numpy(np.array([["red"], ["grün"]], object))
    return [size, color]


def asked(model: str) -> dict[str, object]:
    """Return the answers to one call, with every output as the client reads it."""
    result = server.infer(model, inputs(), request_id="7", headers=key)
    answer = result.get_response()
    outputs = {each.name: result.as_numpy(each.name).tolist() for each in answer.outputs}
    return {"id": answer.id, "version": answer.model_version, "outputs": outputs}


def refused(**options: object) -> dict[str, object]:
    """Return how the client shows a refusal."""
    try:
        server.infer(**{"model_name": "flights", "inputs": inputs(), "headers": key, **options})
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}
    return {}


index = server.get_model_repository_index(headers=key)
metadata = server.get_model_metadata("sales", headers=key)
seen = {
    "live": server.is_server_live(),
    "ready": server.is_server_ready(),
    "model_ready": [server.is_model_ready(name, headers=key) for name in ("flights", "nobody")],
    "server": server.get_server_metadata(headers=key).name,
    "metadata": [[each.name, each.datatype, list(each.shape)] for each in (*metadata.inputs, *metadata.outputs)],
    "index": [[each.name, each.version, each.state] for each in index.models],
    "answers": {model: asked(model) for model in ("flights", "sales")},
    "unknown_model": refused(model_name="nobody"),
    "no_key": refused(headers=None),
    "wrong_tensors": refused(inputs=inputs()[1:]),
}
server.unload_model("sales", headers=key)
seen["unloaded"] = server.is_model_ready("sales", headers=key)
server.load_model("sales", headers=key)
seen["loaded"] = server.is_model_ready("sales", headers=key)
print(json.dumps(seen))
