"""A kernel whose messages are looked for each second, not only when zmq says that there are some.

zmq says it once, for all that has come; said while nobody listens, a message lies there until the wait is over. A cell
then took all of its time limit, 300 s, though it was done at once, and outputs that came so were not seen at all.
"""

import time
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.manager import AsyncKernelManager
from traitlets import Type

LOOK_SECONDS = 1.0


class _Channel(AsyncZMQSocketChannel):
    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # type: ignore[override]  # noqa: ASYNC109
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            left = max(deadline - time.monotonic(), 0.0)
            try:
                return await super().get_msg(min(LOOK_SECONDS, left))
            except Empty:
                if left == 0:
                    raise


class _Client(AsyncKernelClient):
    shell_channel_class = Type(_Channel)
    iopub_channel_class = Type(_Channel)


def kernel() -> AsyncKernelManager:
    """Return the manager of a Python kernel that is not started yet."""
    manager = AsyncKernelManager(kernel_name="python3")
    manager.client_factory = _Client
    return manager
