"""What KServe's REST client sees: ``python over_http.py '{"url": …, "key": …}'``."""

import asyncio
import json
import sys

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.constants.constants import PredictorProtocol

given = json.loads(sys.argv[1])
url, key = given["url"], {"Authorization": f"Bearer {given['key']}"}


def request(model: str, *, binary: bool) -> InferRequest:
    """Return a request for two rows; its outputs come as its inputs go."""
    size = InferInput("size", [2], "FP64")
    size.set_data_from_numpy(np.array([1.0, 4.0]), binary_data=binary)
    color = InferInput("color", [2], "BYTES")
    color.set_data_from_numpy(np.array(["red", "grün"], object), binary_data=binary)
    return InferRequest(
        model_name=model, request_id="7", infer_inputs=[size, color], parameters={"binary_data_output": binary}
    )


async def main() -> dict[str, object]:
    """Ask all there is to ask."""
    async with InferenceRESTClient(RESTConfig(protocol=PredictorProtocol.REST_V2.value)) as client:

        async def asked(model: str, *, binary: bool) -> dict[str, object]:
            answer = await client.infer(url, request(model, binary=binary), model_name=model, headers=dict(key))
            outputs = {each.name: each.as_numpy().tolist() for each in answer.outputs}
            return {"id": answer.id, "outputs": outputs}

        async def refused(model: str, headers: dict[str, str]) -> str:
            try:
                await client.infer(url, request(model, binary=False), model_name=model, headers=headers)
            except httpx.HTTPStatusError as error:
                return str(error)
            return ""

        return {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model_ready": [await client.is_model_ready(url, name, headers=key) for name in ("flights", "nobody")],
            "binary": {model: await asked(model, binary=True) for model in ("flights", "sales")},
            "json": {model: await asked(model, binary=False) for model in ("flights", "sales")},
            "unknown_model": await refused("nobody", dict(key)),
            "no_key": await refused("flights", {}),
        }


print(json.dumps(asyncio.run(main())))
