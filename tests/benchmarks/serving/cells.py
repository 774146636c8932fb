"""One turn of one server: start, check its answers, warm it up, and measure each number of connections."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.benchmarks.serving import processes
from tests.benchmarks.serving.load import load
from tests.benchmarks.serving.reference import Reference
from tests.benchmarks.serving.targets import Running, Target
from tests.support.waiting import until

_CHECKED = 32
_LOAD_SECONDS = 20
_TOLERANCE = 1e-4
"""Relative; ONNX Runtime sums a forest's trees in float32."""


@dataclass(frozen=True)
class Plan:
    """How much is measured: which models at which connections, and for how long.

    ``predictions`` are asked for asynchronously, in the end of a service that has kept ``kept`` before; ``rows`` are
    scored from a file, ``loop_rows`` of them in a loop.
    """

    rounds: int
    seconds: int
    slow_seconds: dict[int, int]
    connections: tuple[int, ...] = (1, 16, 64)
    predictions: int = 6_000
    kept: int = 200_000
    rows: int = 400_000
    loop_rows: int = 100_000
    profile_seconds: int = 5

    def duration(self, target: Target, connections: int) -> int:
        """Return seconds; who needs tens of milliseconds a row gets time to answer each connection a few times."""
        return self.slow_seconds[connections] if target.engine == "sklearn" else self.seconds

    def cells(self, target: Target) -> Iterator[tuple[str, int]]:
        """Return model and connections of each cell; other models than the forest at the middle load only."""
        middle = self.connections[len(self.connections) // 2]
        for model in target.models or ("",):
            for connections in self.connections if model in ("forest", "") else (middle,):
                yield model, connections


FULL = Plan(rounds=3, seconds=3, slow_seconds={1: 2, 16: 3, 64: 6})
QUICK = Plan(rounds=1, seconds=2, slow_seconds={1: 2, 16: 2, 64: 7})
TINY = Plan(
    rounds=1,
    seconds=1,
    slow_seconds={2: 1},
    connections=(2,),
    predictions=200,
    kept=1_000,
    rows=4_000,
    loop_rows=1_000,
    profile_seconds=1,
)
"""For tests: whether anything is measured, not how much."""


async def turn(target: Target, plan: Plan, reference: Reference, folder: Path) -> list[dict[str, Any]]:
    """Return the measured cells of one target."""
    async with target.started() as server:
        bodies = {model: written(target, model, reference, folder) for model in target.models}
        for model in target.models:
            await _checked(target, server, model, reference)
        cells = []
        for model, connections in plan.cells(target):
            seconds = plan.duration(target, connections)
            await load(_url(target, server, model), bodies.get(model), connections=4, seconds=1, key=server.key)
            cells.append(await _cell(target, server, model, bodies.get(model), connections, seconds))
        return cells


async def _cell(
    target: Target, server: Running, model: str, bodies: Path | None, connections: int, seconds: int
) -> dict[str, Any]:
    await processes.idle(server.pid)
    busy, used = os.getloadavg()[0], processes.cpu_seconds(server.pid)
    seen = await load(_url(target, server, model), bodies, connections=connections, seconds=seconds, key=server.key)
    used = processes.cpu_seconds(server.pid) - used
    return {
        "target": target.name,
        "model": model,
        "connections": connections,
        **asdict(seen),
        "per_second": seen.requests / seen.seconds,
        "cpu_us": used * 1e6 / max(seen.requests, 1),
        "load_average": busy,
    }


def _url(target: Target, server: Running, model: str) -> str:
    return server.url + target.path(model)


def written(target: Target, model: str, reference: Reference, folder: Path) -> Path:
    """Write the requests for every reference row, one a line, and return where."""
    path = folder / f"{target.name}-{model}.jsonl"
    path.write_text("".join(json.dumps(target.body(row)) + "\n" for row in reference.rows))
    return path


async def _checked(target: Target, server: Running, model: str, reference: Reference) -> None:
    """Compare a few answers with scikit-learn's own.

    Raises:
        RuntimeError: it answers something else.
    """
    headers = {"Authorization": f"Bearer {server.key}"} if server.key else {}
    async with httpx.AsyncClient(trust_env=False, timeout=60, headers=headers) as http:
        url = _url(target, server, model)
        await _loaded(http, url, target.body(reference.rows[0]))
        for row, expected in zip(reference.rows[:_CHECKED], reference.expected[model], strict=False):
            answer = await http.post(url, json=target.body(row))
            if not answer.is_success:
                raise RuntimeError(f"it refuses a row: {answer.status_code} {answer.text[:300]}")
            value = target.value(answer.json())
            if not np.isclose(value, expected, rtol=_TOLERANCE):
                raise RuntimeError(f"it answers {value} where scikit-learn answers {expected}")


async def _loaded(http: httpx.AsyncClient, url: str, body: Any) -> None:
    """Ask until the model is loaded, which some servers do after they answer; or for 20 seconds."""

    async def answered() -> bool:
        return (await http.post(url, json=body)).is_success

    with suppress(TimeoutError):  # then the first check says what is wrong
        await until(answered, seconds=_LOAD_SECONDS)
