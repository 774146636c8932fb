"""Listening sockets: whether a component's ports are held by its own processes or by another program."""

from collections.abc import Collection

import psutil

from interlock_localstack import orphans


def component_port_fault(mark: str, ports: Collection[int]) -> str | None:
    """Return what is wrong with the ``ports`` of the component whose processes bear ``mark``; None where nothing is."""
    return port_fault(ports, orphans.find_marked(mark)) if ports else None


def port_fault(ports: Collection[int], ours: Collection[int]) -> str | None:
    """Return None where the processes ``ours``, and nobody else, listen at each of the ``ports``; else what is wrong.

    Several programs can share a port (``SO_REUSEPORT``), so one of ours that listens does not make the port ours.
    A process of another user has no pid here, and is not ours.
    """
    missing = set(ports)
    for connection in psutil.net_connections("tcp"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or connection.laddr.port not in ports:
            continue
        if connection.pid not in ours:
            return f"port {connection.laddr.port} is held by {_described(connection.pid)}"
        missing.discard(connection.laddr.port)
    return f"does not listen at port {min(missing)}" if missing else None


def _described(pid: int | None) -> str:
    if pid is None:
        return "another user's program"
    try:
        return f"another program: {psutil.Process(pid).name()}, pid {pid}"
    except psutil.NoSuchProcess:
        return "another program"
