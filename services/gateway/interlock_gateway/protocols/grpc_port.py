"""The port of gRPC, which all workers of one gateway share, and no other process."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held(host: str, port: int | None) -> Iterator[None]:
    """Hold the port for this process's workers while the block lasts; without a ``port`` there is nothing to hold.

    Workers share it by ``SO_REUSEPORT``, which would as well let another gateway of the same user listen there: each
    would be given half of the other's calls.

    Raises:
        OSError: somebody else listens there, or the host is none of this machine's.
    """
    if port is None:
        yield
        return
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:  # refused where anybody listens, sharing the port or not
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
    with socket.socket(family, kind, protocol) as holder:  # bound but not listening, it is given no calls
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(address)
        yield
