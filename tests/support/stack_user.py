"""A user of the running stack, over its gateway; and data for that user to bring."""

from typing import Any
from uuid import uuid4

import httpx
import numpy as np

from tests.support.waiting import until

ENDED = {"succeeded", "refused", "failed", "cancelled", "timed_out", "coalesced"}
PATIENCE = 150.0
"""Seconds for a whole small run on two busy cores, Ray's start of a job included."""


class User:
    """One user with the admin key."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self.http = httpx.AsyncClient(
            base_url=env["INTERLOCK_GATEWAY_URL"],
            headers={"Authorization": f"Bearer {env['INTERLOCK_API_KEY']}"},
            timeout=30,
        )

    async def json(self, method: str, path: str, **options: Any) -> Any:
        answer = await self.http.request(method, path, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def apply(self, **changes: Any) -> str:
        name = f"m-{uuid4().hex[:8]}"
        spec = pipeline(name, **changes)
        await self.json("PUT", f"/pipelines/{name}", json=spec)
        return name

    async def reapply(self, name: str, **changes: Any) -> None:
        await self.json("PUT", f"/pipelines/{name}", json=pipeline(name, **changes))

    async def ingest(self, name: str, csv: bytes, **params: str) -> dict[str, Any]:
        async def taken() -> httpx.Response | None:
            headers = {"Content-Type": "text/csv"}
            said = await self.http.post(f"/datasets/{name}", content=csv, params=params, headers=headers)
            return (
                said if said.status_code != 404 else None
            )  # ingest consumes a pipeline's event after the registry's answer

        answer: httpx.Response = await until(taken, seconds=60)
        assert answer.status_code == 202, answer.text

        async def verdict() -> dict[str, Any] | None:
            found = await self.http.get(answer.headers["location"])
            if found.status_code == 503:  # the test may have taken ingest away; the verdict comes all the same
                return None
            assert found.is_success, found.text
            view: dict[str, Any] = found.json()
            return view if view["state"] != "checking" else None

        view: dict[str, Any] = await until(verdict, seconds=60)
        return view

    async def retrain(self, name: str) -> str:
        async def taken() -> httpx.Response | None:
            said = await self.http.post(f"/models/{name}/retrain", json={})
            return (
                said if said.status_code != 409 else None
            )  # train_dispatch consumes a file's event after ingest's answer

        answer: httpx.Response = await until(taken, seconds=60)
        assert answer.is_success, answer.text
        run: str = answer.json()["run_id"]
        return run

    async def run(self, run_id: str) -> dict[str, Any] | None:
        answer = await self.http.get(f"/runs/{run_id}")
        found: dict[str, Any] | None = answer.json() if answer.is_success else None
        return found

    async def in_state(self, run_id: str, *states: str, seconds: float = PATIENCE) -> dict[str, Any]:
        seen: dict[str, Any] = {}

        async def look() -> dict[str, Any] | None:
            seen.update(await self.run(run_id) or {})
            return seen if seen.get("state") in states else None

        try:
            await until(look, seconds=seconds)
        except TimeoutError:
            raise AssertionError(f"the run does not get {' or '.join(sorted(states))}: {seen}") from None
        return seen

    async def ended(self, run_id: str) -> dict[str, Any]:
        return await self.in_state(run_id, *ENDED)

    async def runs(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.json("GET", "/runs", params={"model": name})
        return found

    async def versions(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.json("GET", f"/models/{name}/versions")
        return found

    async def passed(self, name: str, version: int) -> None:
        """Wait until the registry, too, has consumed the gate's verdict; train_dispatch ends the run by itself."""

        async def look() -> bool:
            return any(each["version"] == version and each["stage"] == "passed" for each in await self.versions(name))

        await until(look, seconds=60)

    async def predict(self, name: str, *rows: dict[str, Any]) -> httpx.Response:
        return await self.http.post(f"/models/{name}/predict", json={"rows": list(rows)})

    async def serves(self, name: str, version: int, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until every one of many requests, each over a connection of its own, so every worker, answers so."""
        path, asked, fresh = f"/models/{name}/predict", {"rows": [ROW]}, {"Connection": "close"}

        async def look() -> dict[str, Any] | None:
            try:
                answers = [await self.http.post(path, json=asked, headers=fresh) for _ in range(12)]
            except httpx.TransportError:  # the test may have killed the gateway
                return None
            right = [each for each in answers if each.is_success and each.json()["version"] == version]
            return right[0].json() if len(right) == len(answers) else None

        found: dict[str, Any] = await until(look, seconds=seconds)
        return found


ROW = {"size": 1.0, "color": "red"}


def pipeline(name: str, *, gate: Any = None, promotion: str = "automatic", **training: Any) -> dict[str, Any]:
    """Return a small pipeline: ``price`` of a ``size`` and a ``color``, linear only, no search."""
    defaults = {"trigger": ["event"], "candidates": ["linear"], "folds": 2, "trials": 0}
    return {
        "name": name,
        "task": "regression",
        "target": "price",
        "data": {
            "columns": {
                "size": {"type": "number", "min": -10, "max": 10},
                "color": {"type": "category", "values": ["red", "green", "blue"]},
                "price": {"type": "number"},
            },
            "rules": {"min_rows": 50},
        },
        "training": defaults | training,
        "gate": gate if gate is not None else {"metrics": {"r2": {"min": 0.1}}},
        "promotion": promotion,
    }


def csv(rows: int, *, seed: int, noise: float = 1.0, slope: float = 3.0, shuffled: bool = False) -> bytes:
    """Return a file where ``price`` follows size and color; more noise, or a shuffled target, makes it worth less.

    Whatever rows a pipeline's name lets be held out: 200 rows make a first version that surely beats a constant, and
    one of another ``slope`` is surely beaten by 4,000 rows that follow.
    """
    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    color = random.integers(0, 3, rows)
    price = slope * size + 2 * color + random.normal(scale=noise, size=rows)
    if shuffled:
        price = random.permutation(price)
    names = ("red", "green", "blue")
    lines = [f"{s:.6f},{names[c]},{p:.6f}" for s, c, p in zip(size, color, price, strict=True)]
    return "\n".join(["size,color,price", *lines, ""]).encode()
