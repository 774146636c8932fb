"""A Ray Serve deployment with one replica, and a local Ray that belongs to it."""

import os
import signal
import threading

import ray
import student
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1)
class Students:
    """The reference forest."""

    def __init__(self) -> None:
        self.model = student.load("forest")

    async def __call__(self, request: Request) -> dict[str, list[float]]:
        return {"predictions": self.model.predict((await request.json())["rows"])}


if __name__ == "__main__":
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    ray.init(include_dashboard=False, num_cpus=2, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["BENCH_PORT"])})
    serve.run(Students.bind(), route_prefix="/predict/forest")
    stopped.wait()
    ray.shutdown()
