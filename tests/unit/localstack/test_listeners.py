"""Whoever answers at a component's port is known: the component itself, or somebody else."""

import os
import socket
import subprocess
import sys

from interlock_localstack.listeners import port_fault

SHARE = """
import socket, sys
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen()
print("listening", flush=True)
sys.stdin.read()
"""


def shared() -> socket.socket:
    """Listen at a free port as gRPC does, which lets others of the same user listen there, too."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server


def test_ones_own_process_is_no_port_fault() -> None:
    """Nor is who is merely connected, wherever."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        port = server.getsockname()[1]
        assert port_fault([port], [os.getpid()]) is None


def test_every_port_must_have_a_listener() -> None:
    """A server that opens the second of its ports never is not ready, whatever the first one answers."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port, silent = server.getsockname()[1], bound.getsockname()[1]
        assert port_fault([port, silent], [os.getpid()]) == f"does not listen at port {silent}"


def test_another_program_is_named() -> None:
    """With its port, its name and its pid."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert f"port {port} is held by another program: " in (port_fault([port], []) or "")
        assert str(os.getpid()) in (port_fault([port], []) or "")


def test_who_shares_the_port_is_an_port_fault() -> None:
    """Ours listens, and so does another program, which takes every other connection."""
    with shared() as server:
        port = server.getsockname()[1]
        with subprocess.Popen(
            [sys.executable, "-c", SHARE, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "listening\n"
            assert f"pid {other.pid}" in (port_fault([port], [os.getpid()]) or "")
            assert port_fault([port], [os.getpid(), other.pid]) is None
            other.communicate("")
