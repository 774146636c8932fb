"""Queues of the broker that tests share: they have fixed names, and keep what earlier tests have published."""

import aio_pika


async def purge(url: str, *names: str) -> None:
    """Empty the queues, before the service of a test has to work off what is not its own."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for name in names:
            await (await channel.get_queue(name)).purge()
