"""The gateway on a real socket, without a broker, and the services behind it as one small program with a memory."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import uvicorn
from interlock_artifacts import MemoryStore
from interlock_contracts.access import KeyRing, RingKey
from interlock_contracts.http import ModelView, ServingView
from interlock_contracts.names import no_pipeline
from interlock_contracts.refs import ModelRef
from interlock_contracts.rollout import WorkerReport
from interlock_gateway import app as gateway_app
from interlock_gateway.settings import GatewaySettings
from interlock_runtime.problems import problem
from litestar import Litestar, Request, Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.plugins.problem_details import ProblemDetailsPlugin
from litestar.types import ASGIApp
from pydantic import SecretStr

from tests.support.api_keys import KEY, SETTINGS
from tests.support.signing import PUBLIC, serving
from tests.support.stored_models import in_this_process
from tests.support.waiting import until

__all__ = ["KEY", "NOWHERE", "Behind", "Door", "bound", "client", "gateway", "listening", "opened"]

NOWHERE = "http://127.0.0.1:1"


class Behind:
    """What registry, ingest and train_dispatch know; ``asked`` holds the headers of what was passed on.

    ``keys`` are those that the registry tells of, beside the deployment's own; ``trainable`` the models with data.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.pipelines: set[str] = set()
        self.serving: dict[str, ServingView] = {}
        self.signatures: dict[str, dict[str, Any]] = {}
        self.reports: dict[str, WorkerReport] = {}
        self.trainable: set[str] = set()
        self.asked: list[dict[str, str]] = []
        self.largest_chunk = 0
        self.keys: list[RingKey] = []
        self.deleted: set[str] = set()

    def promote(self, ref: ModelRef, seq: int, *, trace: str | None = None) -> None:
        self.pipelines.add(ref.model)
        self.serving[ref.model] = serving(ref, seq).model_copy(update={"promotion": trace})

    def archive(self, model: str, *, archived: bool = True) -> None:
        self.serving[model] = self.serving[model].model_copy(update={"archived": archived})

    def delete(self, model: str) -> None:
        self.archive(model)
        self.deleted.add(model)

    async def reported(self) -> None:
        """Wait until every worker has reported once more."""
        last = dict(self.reports)
        await until(lambda: all(self.reports[worker] is not report for worker, report in last.items()))

    def _view(self, name: str) -> ModelView:
        now = self.serving.get(name)
        if now is not None and now.archived:
            return ModelView(name=name, archived_at=now.promoted_at, versions=0)
        return ModelView(name=name, serving=now, versions=0, signature=self.signatures.get(name))

    def app(self) -> Litestar:
        """Return the program."""

        @get("/models/{name:str}")
        async def model(name: FromPath[str]) -> ModelView:
            self._known(name)
            return self._view(name)

        @get("/pipelines/{name:str}")
        async def pipeline(name: FromPath[str]) -> dict[str, str]:
            self._known(name)
            return {"name": name}

        @put("/pipelines/{name:str}")
        async def apply(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
            self.asked.append(dict(request.headers))
            return Response(await request.body(), media_type="text/plain", headers={"X-Name": name})

        @get("/models/{name:str}/trainable")
        async def trainable(name: FromPath[str], request: Request[Any, Any, Any]) -> dict[str, int]:
            self.asked.append({"query": request.url.query})
            self._has_data(name)
            return {"datasets": 1}

        @get("/datasets/{name:str}")
        async def verdicts(name: FromPath[str], request: Request[Any, Any, Any]) -> list[str]:
            self.asked.append({"query": request.url.query})
            return [name]

        @post("/datasets/{name:str}", status_code=202, request_max_body_size=None)
        async def upload(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[dict[str, int]]:
            self.asked.append(dict(request.headers))
            size = 0
            async for chunk in request.stream():
                size += len(chunk)
                self.largest_chunk = max(self.largest_chunk, len(chunk))
            return Response({"bytes": size}, status_code=202, headers={"Location": f"/datasets/{name}/abc"})

        @post("/models/{name:str}/predictions", status_code=202, request_max_body_size=None)
        async def file(name: FromPath[str], request: Request[Any, Any, Any]) -> dict[str, Any]:
            kind, query = request.headers["content-type"], request.url.query
            body = b"".join([chunk async for chunk in request.stream()])
            return {"model": name, "kind": kind, "query": query, "bytes": len(body), "begin": body[:40].decode()}

        @get("/runs/{run_id:str}")
        async def run(run_id: FromPath[str]) -> None:
            raise problem(404, "Unknown run", f"no run {run_id}", headers={"Retry-After": "1"})

        routes = [*self._workers(), model, pipeline, apply, trainable, verdicts, upload, file, run]
        return Litestar(routes, plugins=[ProblemDetailsPlugin()], openapi_config=None, logging_config=None)

    def _workers(self) -> list[HTTPRouteHandler]:
        @put("/workers/{worker:str}")
        async def report(worker: FromPath[str], data: JSONBody[WorkerReport]) -> list[ServingView]:
            self.reports[worker] = data
            return list(self.serving.values())

        @delete("/workers/{worker:str}")
        async def leave(worker: FromPath[str]) -> None:
            self.reports.pop(worker, None)

        @get("/keys/ring")
        async def ring() -> KeyRing:
            return KeyRing(keys=self.keys)

        return [report, leave, ring]

    def _known(self, name: str) -> None:
        if name in self.deleted:
            raise problem(410, "Deleted model", f"model {name!r} was deleted by ada at 2026-11-30T12:00:00+00:00")
        if name not in self.pipelines:
            raise problem(404, "Unknown pipeline", no_pipeline(name, self.pipelines))

    def _has_data(self, name: str) -> None:
        self._known(name)
        if name not in self.trainable:
            raise problem(409, "Nothing to train on", f"{name!r} has no accepted dataset; upload one first")


def bound() -> socket.socket:
    """Return a socket with an address that nobody listens at yet."""
    # Named as TCP, or asyncio does not switch off Nagle's algorithm and every answer takes 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.bind(("127.0.0.1", 0))
    return sock


@asynccontextmanager
async def listening(
    app: ASGIApp, sock: socket.socket | None = None, *, module: ModuleType = gateway_app
) -> AsyncIterator[str]:
    """Serve ``app`` on a port of its own, by the protocol that ``module`` chooses; return its address."""
    sock = sock or bound()
    sock.listen()
    http: Any = module.http_protocol
    config = uvicorn.Config(app, http=http, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        await until(lambda: server.started or task.done())
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        sock.close()


def gateway(
    store: MemoryStore, folder: Path, behind: str, *, module: ModuleType = gateway_app, **more: Any
) -> Litestar:
    """Return a gateway, wired by ``module``, that finds all services at ``behind`` and its broker nowhere.

    A service that is elsewhere has its address in ``more``.
    """
    services = dict.fromkeys(("registry", "ingest", "train_dispatch", "prediction", "monitor"), behind)
    addresses = {f"{name}_url": address for name, address in services.items()}
    settings = GatewaySettings(
        **SETTINGS,
        amqp_url=SecretStr("amqp://guest:guest@127.0.0.1:1/"),
        s3_endpoint=NOWHERE,
        s3_access_key=SecretStr("unused"),
        s3_secret_key=SecretStr("unused"),
        cache_dir=folder,
        signing_public_key=PUBLIC,
        gateway_reconcile_seconds=0.1,
        **(addresses | more),
    )
    app: Litestar = module.create_app(settings, artifacts=store, validate=in_this_process)
    return app


def client(url: str, *, key: str | None = KEY) -> httpx.AsyncClient:
    """Return a client that uses the key; it is patient, for a machine that is busy.

    It gives up an idle connection before the server does, at five seconds: a request that is sent the moment when the
    server closes would be lost.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    limits = httpx.Limits(keepalive_expiry=2)
    return httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False, timeout=30, limits=limits)


class Door:
    """The gateway, a client at it, and what is behind."""

    def __init__(self, store: MemoryStore, behind: Behind, http: httpx.AsyncClient, app: Litestar) -> None:
        self.store = store
        self.behind = behind
        self.http = http
        self.app = app

    async def predict(self, *rows: Any, model: str = "flights") -> httpx.Response:
        return await self.http.post(f"/models/{model}/predict", json={"rows": list(rows)})

    async def serves(self, version: int, model: str = "flights") -> None:
        async def look() -> bool:
            slots = (await self.http.get("/serving")).json()["models"]
            return any(each["name"] == model and each["version"] == version for each in slots)

        await until(look)


@asynccontextmanager
async def opened(folder: Path, *, module: ModuleType = gateway_app, **more: Any) -> AsyncIterator[Door]:
    """Open a door with nothing promoted yet, wired by ``module``."""
    store, behind = MemoryStore(), Behind()
    async with listening(behind.app()) as address:
        app = gateway(store, folder, address, module=module, **more)
        async with listening(module.served(app), module=module) as url, client(url) as http:
            yield Door(store, behind, http, app)
    # aio_pika closes a connection that never was when it is collected; that needs the loop, and no later test's.
    gc.collect()
    await asyncio.sleep(0)
