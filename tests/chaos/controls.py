"""Negative controls: the same harness over a registry without an inbox, and without an outbox, must see the damage.

They are switched off from here only, by a trigger in the database and by an entry script of our own: no setting of the
product does it. A harness that finds nothing wrong with them proves nothing when it finds nothing wrong elsewhere.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.chaos.run import Lab, Outcome, prepared
from tests.chaos.stack import Stack
from tests.chaos.workload import Workload
from tests.support.waiting import until

VICTIM = "registry"
REQUESTS = 4

_FORGET = f"""
CREATE FUNCTION {VICTIM}.forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {VICTIM}.inbox WHERE consumer = NEW.consumer AND event_id = NEW.event_id;
    RETURN NULL;
END $$;
CREATE TRIGGER forget AFTER INSERT ON {VICTIM}.inbox FOR EACH ROW EXECUTE FUNCTION {VICTIM}.forget();
"""
_REMEMBER = f"DROP TRIGGER IF EXISTS forget ON {VICTIM}.inbox; DROP FUNCTION IF EXISTS {VICTIM}.forget();"

_PUBLISHES_AFTER_COMMIT = """
import asyncio, os, runpy, sys
from datetime import UTC, datetime
import aio_pika
import interlock_messaging.outbox as outbox
from interlock_contracts.event import Envelope
from sqlalchemy import event

commits = 0

async def enqueue_all(session, said, *, source):
    now = datetime.now(UTC)
    pairs = [(Envelope.of(e.event, source=source, cause=e.cause, n=e.n, now=now), e.event.body()) for e in said]
    event.listen(session.sync_session, "after_commit", lambda _: committed(pairs), once=True)
    return [envelope for envelope, _ in pairs]

def committed(pairs):
    global commits
    commits += 1
    if commits > 2:  # each of a promotion's two events is said by itself: the second promotion ends us
        os._exit(137)
    asyncio.get_running_loop().create_task(publish(pairs))

async def publish(pairs):
    async with await aio_pika.connect(os.environ["INTERLOCK_AMQP_URL"]) as connection:
        exchange = await (await connection.channel()).get_exchange("interlock.events", ensure=False)
        for envelope, body in pairs:
            message = aio_pika.Message(
                body,
                headers=envelope.headers(),
                content_type="application/json",
                message_id=envelope.id,
                user_id="interlock_registry",
            )
            await exchange.publish(message, routing_key=envelope.type)

outbox.enqueue_all = enqueue_all
runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
"""
"""The service itself, but for its outbox: it publishes after the commit, and is killed once in between."""


async def without_inbox(stack: Stack) -> Outcome:
    """Let a registry that forgets what it has handled get each request twice or more."""
    async with prepared(stack, seed=0, repeated=0) as lab:
        await stack.alter(_FORGET)
        try:
            return await _asked(lab, copies=2)
        finally:
            await stack.alter(_REMEMBER)


async def without_outbox(stack: Stack) -> Outcome:
    """Let a registry that publishes after its commit be killed in between; another takes over."""
    async with prepared(stack, seed=0, repeated=0) as lab, _careless(stack):
        return await _asked(lab, copies=0)


async def _asked(lab: Lab, *, copies: int) -> Outcome:
    work = Workload(lab.scene, lab.ledger, lab.publisher, lab.consumer, seed=0)
    for _ in range(REQUESTS):
        await work.roll_back_by_event(copies=copies)
    await work.close()
    drained = await lab.drained(seconds=60)
    return await lab.outcome(seed=0, seconds=drained[0], drained=drained)


@asynccontextmanager
async def _careless(stack: Stack) -> AsyncIterator[None]:
    """Run the registry without its outbox until it is killed, then as it should be."""
    await asyncio.to_thread(stack.parts.stop, VICTIM)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "careless.py"
        script.write_text(_PUBLISHES_AFTER_COMMIT)
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(script), f"interlock_{VICTIM}", env={**os.environ, **stack.parts.environment(VICTIM)}
        )

        async def taken_over() -> None:
            await process.wait()
            await asyncio.to_thread(stack.parts.start, VICTIM)

        follower = asyncio.create_task(taken_over())
        try:
            await until(lambda: asyncio.to_thread(stack.parts.answers, VICTIM), seconds=60)
            yield
        finally:
            if process.returncode is None:
                process.kill()
            await follower
            await stack.healthy(VICTIM)
