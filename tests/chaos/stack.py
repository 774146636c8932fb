"""A stack of its own for chaos: real servers and services, whose supervisor starts again what is killed."""

import asyncio
import json
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aio_pika
import asyncpg  # type: ignore[import-untyped]
import httpx
from interlock_artifacts import S3Store
from interlock_contracts.catalog import OBSERVER
from interlock_contracts.deployment import NAMES
from interlock_contracts.permissions import VHOST, work_queues

from tests.conftest import CHECKOUT, leased
from tests.support.stack_parts import Parts
from tests.support.waiting import until

SERVERS = ("rabbitmq", "postgres", "s3")
SERVICES = NAMES
PARTS = (*SERVERS, *SERVICES)


@dataclass(frozen=True)
class Stack:
    """One running stack; ``settings`` are a client's, ``parts`` can be stopped and started."""

    settings: dict[str, str] = field(repr=False)
    parts: Parts
    names: tuple[str, ...] = PARTS

    @property
    def gateway(self) -> str:
        """Return the address of the public door."""
        return self.settings["INTERLOCK_GATEWAY_URL"]

    @property
    def key(self) -> str:
        """Return a key that may do everything."""
        return self.settings["INTERLOCK_API_KEY"]

    def client(self, seconds: float = 10) -> httpx.AsyncClient:
        """Return a client of the public door; it does not wait for an answer for ever."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.AsyncClient(base_url=self.gateway, headers=headers, timeout=seconds)

    def admin(self, name: str) -> str:
        """Return a server's address with the rights of its administrator, by the end of the setting's name."""
        return self.settings.get(f"INTERLOCK_ADMIN_{name}") or self.settings[f"INTERLOCK_{name}"]

    def amqp(self, speaker: str | None) -> str:
        """Return the broker's address as a service has it, or as people outside have it."""
        return (self.parts.environment(speaker) if speaker else self.settings)["INTERLOCK_AMQP_URL"]

    def store(self, service: str) -> S3Store:
        """Return the object store with a service's own rights."""
        env = self.parts.environment(service)
        names = ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "BUCKET")
        return S3Store(*(env[f"INTERLOCK_S3_{name}"] for name in names))

    async def healthy(self, *names: str, seconds: float = 120) -> None:
        """Wait until the named parts, by default all, work again."""

        def look() -> bool:
            return all(self.parts.healthy(name) for name in names or self.names)

        await until(lambda: asyncio.to_thread(look), seconds=seconds)

    async def sql(self, statement: str) -> list[asyncpg.Record]:
        """Ask the database as its administrator."""
        async with self._administrator() as connection:
            return list(await connection.fetch(statement, timeout=5))

    async def alter(self, statements: str) -> None:
        """Change the database as its administrator."""
        async with self._administrator() as connection:
            await connection.execute(statements, timeout=5)

    @asynccontextmanager
    async def _administrator(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.admin("POSTGRES_URL"), timeout=5)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)

    def rabbitmqctl(self, *words: str) -> str:
        """Have the broker's own administration do something, and return what it says.

        Raises:
            ConnectionError: it could not; the text says why.
        """
        program, *_ = self.parts.command("rabbitmq")
        argv = [str(Path(program).with_name("rabbitmqctl")), "--quiet", *words]
        done = subprocess.run(
            argv, env=self.parts.environment("rabbitmq"), capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode != 0:
            raise ConnectionError(f"rabbitmqctl {words[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    async def messages(self) -> dict[str, int]:
        """Return how many messages each queue holds where it holds any: those in somebody's hands count, too."""
        words = ("list_queues", "--formatter", "json", "--vhost", VHOST, "name", "messages")
        listed = json.loads(await asyncio.to_thread(self.rabbitmqctl, *words))
        return {each["name"]: each["messages"] for each in listed if each["messages"]}

    async def ready(self) -> int:
        """Return how many messages wait for a consumer that could take them; cheaper than looking at all."""
        names = [queue for service in SERVICES if service != OBSERVER for queue in work_queues(service)]
        async with await aio_pika.connect(self.admin("AMQP_URL"), timeout=5) as connection:
            channel = await connection.channel()
            queues = [await channel.declare_queue(name, passive=True) for name in names]
            return sum(queue.declaration_result.message_count or 0 for queue in queues)

    async def unsaid(self) -> dict[str, float]:
        """Return the age in seconds of the oldest event that each service has committed and not yet published."""
        schemas = await self.sql("SELECT schemaname FROM pg_tables WHERE tablename = 'outbox'")
        oldest = "extract(epoch FROM now() - min(created_at))"
        return {
            schema["schemaname"]: float((await self.sql(f"{ask} WHERE published_at IS NULL"))[0][0] or 0)
            for schema in schemas
            for ask in [f'SELECT {oldest} FROM "{schema["schemaname"]}".outbox']
        }


@contextmanager
def chaos_stack(name: str = "chaos", *, ray: bool = False) -> Iterator[Stack]:
    """Lease a stack with its own servers; a whole one with ``ray``, else a cluster that has nothing to do."""
    home = CHECKOUT / ".interlock" / name
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "ports.json").exists():
        (home / "ports.json").write_text('{"gateway": 8300, "grpc": 8301, "console": 8302}')
    names = (*SERVERS, "ray", *SERVICES) if ray else PARTS
    with ExitStack() as held:
        given = {} if ray else {"INTERLOCK_RAY_ADDRESS": held.enter_context(_idle_cluster())}
        settings = held.enter_context(leased(name, only=",".join(names), **given))
        parts = Parts(Path(settings["INTERLOCK_HOME"]))
        try:
            yield Stack(settings, parts, names)
        finally:
            parts.close()


class _Idle(BaseHTTPRequestHandler):
    """Ray's part, where nothing is trained: it answers, and knows no job."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/version" else 404)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _idle_cluster() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Idle) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
