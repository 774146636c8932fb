"""Ports of a stack: chosen once, kept, reserved while it runs, and chosen again only when one is taken."""

import hashlib
import socket
import time
from collections.abc import Collection, Iterable
from typing import Self

from interlock_contracts.deployment import SERVICES

from interlock_localstack.errors import StackError
from interlock_localstack.state_dir import StateDir

# Below the range that the system hands out to clients (from 32768), so that no connection takes a port meanwhile.
FIRST, LAST, BLOCK = 20_000, 32_000, 50
SEAWEED_GRPC = 10_000
"""SeaweedFS opens this far above each of its ports as well."""

RELEASE_SECONDS, POLL_SECONDS = 3.0, 0.05
"""How long the kept ports may still be held, by processes that end or a connection, before others are chosen."""

OFFSETS = {
    "amqp": 0,
    "amqp_distribution": 1,
    "amqp_epmd": 2,
    "postgres": 5,
    "s3": 10,
    "s3_master": 11,
    "s3_volume": 12,
    "s3_filer": 13,
    "s3_admin": 14,
    "ray_gcs": 20,
    "ray": 21,
    "ray_client": 22,
    "ray_objects": 23,
    "ray_node": 24,
    "ray_agent": 25,
    "ray_agent_grpc": 26,
    "ray_environments": 27,
    "ray_metrics": 28,
    **{name: 30 + place for place, name in enumerate(each.name for each in SERVICES if not each.public)},
}
PUBLIC = {each.name: each.port for each in SERVICES if each.public}
PUBLIC["grpc"] = next(each.grpc_port for each in SERVICES if each.grpc_port is not None)
"""Ports that people type: those of every deployment, or the next free ones."""


class Reservations:
    """Ports that belong to one stack though nothing listens there yet, so that two that start at once choose others.

    Each is a socket with an abstract name (``man 7 unix``): the system gives a name to one process at a time, over all
    users of the network namespace that the ports are in, too. A name is free again once the last process that has its
    socket has ended, so whoever is to keep the ports inherits the sockets, and a crash leaves nothing behind.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release(list(self._held))

    @property
    def descriptors(self) -> list[int]:
        """Return the sockets' file descriptors, for the process that keeps the ports."""
        return [held.fileno() for held in self._held.values()]

    def take(self, wanted: Collection[int]) -> bool:
        """Reserve all of the ports, or none where another stack has one of them."""
        for number, port in enumerate(wanted):
            name = socket.socket(socket.AF_UNIX)
            try:
                name.bind(f"\0interlock-port-{port}")
            except OSError:
                name.close()
                self.release(list(wanted)[:number])
                return False
            self._held[port] = name
        return True

    def release(self, ports: Iterable[int]) -> None:
        """Release the ports."""
        for port in ports:
            self._held.pop(port).close()


def choose_ports(state_dir: StateDir, reservations: Reservations, *, running: bool) -> dict[str, int]:
    """Return the stack's ports; where it is not ``running``, reserve them, and replace and keep those that are taken.

    What a release has added gets a port beside the others, which stay.

    Raises:
        StackError: no ports are free.
    """
    kept: dict[str, int] = state_dir.read("ports") or {}
    servers = {name: kept[name] for name in OFFSETS if name in kept}
    if not running:
        _wait_for_release(_with_shadows(kept), reservations)
    if not servers or not (running or _reserve_servers(servers, reservations)):
        servers = _block(state_dir, reservations)
    added = [name for name in OFFSETS if name not in servers]
    for name in added:
        servers[name] = _next_free(min(servers.values()) + OFFSETS[name], reservations)
    public = {
        name: kept[name] if running and name in kept else _next_free(kept.get(name, first), reservations)
        for name, first in PUBLIC.items()
    }
    if kept != servers | public:
        state_dir.write("ports", servers | public)
    return servers | public


def _wait_for_release(kept: list[int], reservations: Reservations) -> None:
    """Wait a moment for processes that are ending, such as a killed supervisor, to let go of the stack's own ports."""
    deadline = time.monotonic() + RELEASE_SECONDS
    while not _reserve(kept, reservations):
        if time.monotonic() > deadline:
            return
        time.sleep(POLL_SECONDS)
    reservations.release(kept)


def _block(state_dir: StateDir, reservations: Reservations) -> dict[str, int]:
    blocks = range(FIRST, LAST, BLOCK)
    # Each checkout begins its search elsewhere, so that stacks rarely meet at all.
    begin = int(hashlib.sha256(str(state_dir.root).encode()).hexdigest(), 16) % len(blocks)
    for first in (*blocks[begin:], *blocks[:begin]):
        chosen = {name: first + offset for name, offset in OFFSETS.items()}
        if _reserve_servers(chosen, reservations):
            return chosen
    raise StackError(f"no {BLOCK} ports in a row are free on 127.0.0.1 from {FIRST} to {LAST}")


def _reserve_servers(chosen: dict[str, int], reservations: Reservations) -> bool:
    return _reserve(_with_shadows(chosen), reservations)


def _with_shadows(ports: dict[str, int]) -> list[int]:
    return [*ports.values(), *(port + SEAWEED_GRPC for name, port in ports.items() if name.startswith("s3"))]


def _reserve(wanted: list[int], reservations: Reservations) -> bool:
    if not reservations.take(wanted):
        return False
    if all(_is_free(port) for port in wanted):
        return True
    reservations.release(wanted)
    return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _next_free(first: int, reservations: Reservations) -> int:
    for port in range(first, first + 1000):
        if _reserve([port], reservations):
            return port
    raise StackError(f"no port is free on 127.0.0.1 from {first} on")
