"""The parent of the gateway's workers, which is uvicorn's, and how it learns that one of them has died."""

from uvicorn.supervisors import multiprocess


class Worker(multiprocess.Process):
    """A worker process whose end closes the pipe over which it is asked whether it lives.

    uvicorn keeps the worker's end of that pipe open in the parent as well, so a worker that dies while it is asked is
    missed, and replaced, only after the whole time limit of a health check.
    """

    def start(self) -> None:
        """Start the process, and leave its end of the pipe to it."""
        super().start()
        self.child_conn.close()


def install() -> None:
    """Let uvicorn start its workers as :class:`Worker`."""
    multiprocess.Process = Worker  # type: ignore[misc]
