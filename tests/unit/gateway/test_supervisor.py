"""A gateway's worker that dies is missed at once."""

import os
import signal
import time
from typing import Any

from interlock_gateway.supervisor import Worker
from uvicorn import Config

LONG = 300.0


class DiesWhenAsked(Worker):
    """Takes the question whether it lives, and is killed before it answers."""

    def target(self, sockets: Any = None) -> None:  # noqa: ARG002 - as uvicorn calls it
        self.child_conn.recv()
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_while_it_is_asked_is_missed_at_once() -> None:
    """And not after the time that a busy one may take to answer."""
    worker = DiesWhenAsked(Config("nothing:runs", log_config=None), [])
    worker.start()
    asked = time.monotonic()

    assert not worker.is_alive(timeout=LONG)

    worker.join()
    assert time.monotonic() - asked < LONG / 2
    assert worker.exitcode == -signal.SIGKILL
