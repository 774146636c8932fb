"""Ask Interlock to train a model again, with a plain AMQP client and none of Interlock's code.

Usage: INTERLOCK_AMQP_URL=amqp://... python publish_retrain.py MODEL
"""

import asyncio
import json
import os
import sys
import uuid

import aio_pika


async def main(model: str) -> None:
    """Publish one CloudEvent with the four attributes that every CloudEvent has."""
    message = aio_pika.Message(
        json.dumps({"model": model}).encode(),
        content_type="application/json",
        headers={
            "cloudEvents_specversion": "1.0",
            "cloudEvents_id": str(uuid.uuid4()),
            "cloudEvents_source": "/publish_retrain",
            "cloudEvents_type": "retrain.requested",
        },
    )
    async with await aio_pika.connect(os.environ["INTERLOCK_AMQP_URL"]) as connection:
        exchange = await (await connection.channel()).get_exchange("interlock.events")
        await exchange.publish(message, routing_key="retrain.requested")


asyncio.run(main(sys.argv[1]))
