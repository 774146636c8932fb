"""Ports are chosen once, kept, and given up only to somebody else."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from interlock_cli.stack.home import Home
from interlock_cli.stack.ports import OFFSETS, PUBLIC, SEAWEED_GRPC, ports


@pytest.fixture(autouse=True)
def public_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both public ports begin at one that no stack on this machine wants meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        first = server.getsockname()[1]
    monkeypatch.setitem(PUBLIC, "gateway", first)
    monkeypatch.setitem(PUBLIC, "grpc", first)


@contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


def home(folder: Path) -> Home:
    made = Home(folder)
    made.make()
    return made


def test_ports_are_kept(tmp_path: Path) -> None:
    """A second start finds the ports of the first, each its own."""
    first = ports(home(tmp_path), running=False)

    assert ports(home(tmp_path), running=False) == first
    assert first.keys() == {*OFFSETS, *PUBLIC}
    assert len(set(first.values())) == len(first)


def test_a_taken_server_port_moves_the_servers(tmp_path: Path) -> None:
    """Where somebody else has taken one meanwhile, all servers move to a free block."""
    first = ports(home(tmp_path), running=False)
    with taken(first["postgres"]):
        moved = ports(home(tmp_path), running=False)

    assert not {moved[name] for name in OFFSETS} & {first[name] for name in OFFSETS}


def test_the_port_above_an_object_store_port_counts(tmp_path: Path) -> None:
    """SeaweedFS opens a second port ten thousand above each of its own."""
    first = ports(home(tmp_path), running=False)
    with taken(first["s3_filer"] + SEAWEED_GRPC):
        assert ports(home(tmp_path), running=False)["s3_filer"] != first["s3_filer"]


def test_a_taken_public_port_gives_way_to_the_next_free_one(tmp_path: Path) -> None:
    """The gateway's door moves up, and the servers stay where they are."""
    first = ports(home(tmp_path), running=False)
    with taken(first["gateway"]):
        moved = ports(home(tmp_path), running=False)

    assert moved["gateway"] > first["gateway"]
    assert moved["postgres"] == first["postgres"]


def test_ports_of_a_running_stack_stay(tmp_path: Path) -> None:
    """The stack's own servers hold its ports; that is no reason to move."""
    first = ports(home(tmp_path), running=False)
    with taken(first["postgres"]):
        assert ports(home(tmp_path), running=True) == first
