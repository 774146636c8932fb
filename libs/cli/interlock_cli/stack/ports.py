"""Which ports a stack has: chosen once, kept, and chosen anew only when somebody else has taken one."""

import hashlib
import socket
from collections.abc import Collection, Iterable

from interlock_cli.stack.home import Home
from interlock_cli.terminal import Failure

# Below the range that the system hands out to clients (from 32768), so that no connection takes a port meanwhile.
FIRST, LAST, BLOCK = 20_000, 32_000, 50
SEAWEED_GRPC = 10_000
"""SeaweedFS opens this far above each of its ports as well."""

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
    "ingest": 30,
    "train_dispatch": 31,
    "registry": 32,
    "evaluation_gate": 33,
    "prediction": 34,
}
PUBLIC = {"gateway": 8000, "grpc": 8001, "console": 8080}
"""Ports that people type: these, or the next free ones."""


def ports(home: Home, *, running: bool) -> dict[str, int]:
    """Return the stack's ports; where it is not ``running``, taken ones are replaced and the choice is kept.

    Raises:
        Failure: no ports are free.
    """
    kept: dict[str, int] = home.read("ports") or {}
    if running and kept.keys() >= {*OFFSETS, *PUBLIC}:
        return kept
    servers = {name: kept[name] for name in OFFSETS if name in kept}
    if len(servers) < len(OFFSETS) or not _free(servers):
        servers = _block(home)
    public: dict[str, int] = {}
    for name, first in PUBLIC.items():
        public[name] = _next_free(kept.get(name, first), but=public.values())
    home.write("ports", servers | public)
    return servers | public


def _block(home: Home) -> dict[str, int]:
    blocks = range(FIRST, LAST, BLOCK)
    # Each checkout begins its search elsewhere, so that two that start at once do not race for the same block.
    begin = int(hashlib.sha256(str(home.root).encode()).hexdigest(), 16) % len(blocks)
    for first in (*blocks[begin:], *blocks[:begin]):
        chosen = {name: first + offset for name, offset in OFFSETS.items()}
        if _free(chosen):
            return chosen
    raise Failure(f"no {BLOCK} ports in a row are free on 127.0.0.1 from {FIRST} to {LAST}")


def _free(chosen: dict[str, int]) -> bool:
    shadows = [port + SEAWEED_GRPC for name, port in chosen.items() if name.startswith("s3")]
    return _all_free([*chosen.values(), *shadows])


def _all_free(wanted: Iterable[int]) -> bool:
    for port in wanted:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def _next_free(first: int, *, but: Collection[int]) -> int:
    for port in range(first, first + 1000):
        if port not in but and _all_free([port]):
            return port
    raise Failure(f"no port is free on 127.0.0.1 from {first} on")
