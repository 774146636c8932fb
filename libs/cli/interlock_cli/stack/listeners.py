"""Who listens at a part's ports: its own processes, or somebody else who answers in its place."""

from collections.abc import Collection

import psutil


def intruder(ports: Collection[int], ours: Collection[int]) -> str | None:
    """Return who else listens at one of the ``ports`` than the processes ``ours``, in words; None when nobody does.

    Several programs can share a port (``SO_REUSEPORT``), so one of ours that listens does not make the port ours.
    A process of another user has no pid here, and is somebody else's.
    """
    for connection in psutil.net_connections("tcp"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or connection.pid in ours:
            continue
        if connection.laddr.port in ports:
            return f"port {connection.laddr.port} is held by {_described(connection.pid)}"
    return None


def _described(pid: int | None) -> str:
    if pid is None:
        return "another user's program"
    try:
        return f"another program: {psutil.Process(pid).name()}, pid {pid}"
    except psutil.NoSuchProcess:
        return "another program"
