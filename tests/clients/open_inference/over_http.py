"""What the protocol's generated client sees: ``python over_http.py '{"url": …, "key": …}'``."""

import json
import sys

import httpx
from open_inference.openapi import InferenceRequest, RequestInput
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError
from open_inference.openapi.errors import BadRequestError, NotFoundError

given = json.loads(sys.argv[1])
key = httpx.Client(headers={"Authorization": f"Bearer {given['key']}"}, timeout=60)
client = OpenInferenceClient(base_url=given["url"], httpx_client=key)
stranger = OpenInferenceClient(base_url=given["url"])

INPUTS = [
    RequestInput(name="size", shape=[2], datatype="INT64", data=[1, 4]),
    RequestInput(name="color", shape=[2], datatype="BYTES", data=["red", "grün"]),
]


def asked(model: str) -> dict[str, object]:
    """Return the answers to one call."""
    answer = client.model_version_infer(model, "1", request=InferenceRequest(id="7", inputs=INPUTS))
    outputs = {each.name: each.data.dict()["__root__"] for each in answer.outputs}
    return {"id": answer.id, "version": answer.model_version, "outputs": outputs}


def refused(error: type[ApiError], call: object, *arguments: object, **options: object) -> dict[str, object]:
    """Return how the client shows a refusal."""
    try:
        call(*arguments, **options)
    except error as refusal:
        return {"status": refusal.status_code, "body": refusal.body}
    return {}


for probe in (stranger.check_server_liveness, stranger.check_server_readiness):
    probe()
client.check_model_readiness("flights")
client.check_model_version_readiness("flights", "1")
metadata = client.read_model_metadata("sales")
wrong = InferenceRequest(inputs=INPUTS[1:])
print(
    json.dumps(
        {
            "server": client.read_server_metadata().dict(),
            "metadata": metadata.dict(),
            "version_metadata": client.read_model_version_metadata("sales", "1").dict() == metadata.dict(),
            "answers": {model: asked(model) for model in ("flights", "sales")},
            "unknown_model": refused(NotFoundError, client.check_model_readiness, "nobody"),
            "no_key": refused(ApiError, stranger.read_model_metadata, "flights"),
            "wrong_tensors": refused(BadRequestError, client.model_infer, "flights", request=wrong),
        }
    )
)
