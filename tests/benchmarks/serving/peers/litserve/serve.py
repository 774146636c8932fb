"""A LitServe server with one worker on the CPU."""

import os
from typing import Any

import litserve
import student


class Students(litserve.LitAPI):
    """The reference forest."""

    def setup(self, device: str) -> None:
        del device
        self.model = student.load("forest")

    def decode_request(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = request["rows"]
        return rows

    def predict(self, x: list[dict[str, Any]]) -> list[float]:
        return self.model.predict(x)

    def encode_response(self, output: list[float]) -> dict[str, list[float]]:
        return {"predictions": output}


if __name__ == "__main__":
    server = litserve.LitServer(Students(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), generate_client_file=False)
