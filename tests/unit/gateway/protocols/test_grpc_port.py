"""The port of gRPC belongs to one gateway, whose workers share it."""

import socket

import pytest
from interlock_gateway.protocols.grpc_port import held

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
    return port


def worker(port: int) -> socket.socket:
    """Listen as gRPC does in each worker."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind((HOST, port))
    server.listen()
    server.settimeout(5)
    return server


def test_workers_listen_at_the_port_that_is_held() -> None:
    """Several at a time, and every connection comes to one of them: the holder takes none."""
    port = free_port()
    with held(HOST, port), worker(port) as one:
        for _ in range(20):
            with socket.create_connection((HOST, port)), one.accept()[0]:
                pass
        with worker(port):
            pass


def test_a_port_that_another_gateway_shares_is_refused() -> None:
    """Sharing would work, and would give half of the calls to the other one."""
    port = free_port()
    with worker(port), pytest.raises(OSError, match="in use"), held(HOST, port):
        pass


def test_what_does_not_share_cannot_take_the_port_meanwhile() -> None:
    """While workers are started again nobody listens, and the port is still the gateway's."""
    port = free_port()
    with held(HOST, port), pytest.raises(OSError, match="in use"), socket.create_server((HOST, port)):
        pass
    with socket.create_server((HOST, port)):
        pass


def test_without_a_port_nothing_is_held() -> None:
    """A gateway that offers no gRPC starts, too."""
    with held(HOST, None):
        pass
