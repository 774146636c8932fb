"""KServe's Python server with one model of its own, protocol version 1."""

import os
from typing import Any

import student
from kserve import Model, ModelServer


class Students(Model):
    """The reference forest."""

    def __init__(self) -> None:
        super().__init__("forest")
        self.load()

    def load(self) -> bool:
        self.model = student.load("forest")
        self.ready = True
        return True

    def predict(self, payload: dict[str, Any], headers: dict[str, str] | None = None, **_: Any) -> dict[str, Any]:
        del headers
        return {"predictions": self.model.predict(payload["instances"])}


if __name__ == "__main__":
    port = int(os.environ["BENCH_PORT"])
    ModelServer(http_port=port, enable_grpc=False, workers=1, access_log_format=None).start([Students()])
