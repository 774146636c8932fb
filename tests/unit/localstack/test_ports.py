"""Ports are chosen once, kept, and given up only to somebody else."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from interlock_localstack import ports as module
from interlock_localstack.ports import OFFSETS, PUBLIC, SEAWEED_GRPC, Reservations, choose_ports
from interlock_localstack.state_dir import StateDir


@pytest.fixture(autouse=True)
def public_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both public ports begin at one that no stack on this machine wants meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        first = server.getsockname()[1]
    monkeypatch.setitem(PUBLIC, "gateway", first)
    monkeypatch.setitem(PUBLIC, "grpc", first)
    monkeypatch.setattr(module, "RELEASE_SECONDS", 0.0)


@contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


def make_state_dir(folder: Path) -> StateDir:
    made = StateDir(folder)
    made.create()
    return made


def ports(state_dir: StateDir, *, running: bool) -> dict[str, int]:
    """Choose ports as an ``up`` does that ends at once: nothing keeps its reservations."""
    with Reservations() as reservations:
        return choose_ports(state_dir, reservations, running=running)


def test_ports_are_kept(tmp_path: Path) -> None:
    """A second start finds the ports of the first, each its own."""
    first = ports(make_state_dir(tmp_path), running=False)

    assert ports(make_state_dir(tmp_path), running=False) == first
    assert first.keys() == {*OFFSETS, *PUBLIC}
    assert len(set(first.values())) == len(first)


@pytest.mark.parametrize("held", ["postgres", "gateway"])
def test_a_process_that_is_ending_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str) -> None:
    """A killed supervisor holds the ports a little longer than it can be found by its mark."""
    first = ports(make_state_dir(tmp_path), running=False)
    ending = Reservations()
    assert ending.take([first[held]])
    monkeypatch.setattr(module, "RELEASE_SECONDS", 60.0)
    monkeypatch.setattr("time.sleep", lambda _: ending.release([first[held]]))

    assert ports(make_state_dir(tmp_path), running=False) == first


def test_a_taken_server_port_moves_the_servers(tmp_path: Path) -> None:
    """Where somebody else has taken one meanwhile, all servers move to a free block."""
    first = ports(make_state_dir(tmp_path), running=False)
    with taken(first["postgres"]):
        moved = ports(make_state_dir(tmp_path), running=False)

    assert not {moved[name] for name in OFFSETS} & {first[name] for name in OFFSETS}


def test_the_port_above_an_object_store_port_counts(tmp_path: Path) -> None:
    """SeaweedFS opens a second port ten thousand above each of its own."""
    first = ports(make_state_dir(tmp_path), running=False)
    with taken(first["s3_filer"] + SEAWEED_GRPC):
        assert ports(make_state_dir(tmp_path), running=False)["s3_filer"] != first["s3_filer"]


def test_a_taken_public_port_gives_way_to_the_next_free_one(tmp_path: Path) -> None:
    """The gateway's door moves up, and the servers stay where they are."""
    first = ports(make_state_dir(tmp_path), running=False)
    with taken(first["gateway"]):
        moved = ports(make_state_dir(tmp_path), running=False)

    assert moved["gateway"] > first["gateway"]
    assert moved["postgres"] == first["postgres"]


def test_ports_of_a_running_stack_stay(tmp_path: Path) -> None:
    """The stack's own servers hold its ports; that is no reason to move."""
    first = ports(make_state_dir(tmp_path), running=False)
    with taken(first["postgres"]):
        assert ports(make_state_dir(tmp_path), running=True) == first


@pytest.mark.parametrize("running", [False, True])
def test_what_a_release_has_added_gets_a_port_beside_the_others(tmp_path: Path, *, running: bool) -> None:
    """People have the gateway's address, also after an upgrade, and servers keep theirs."""
    state_dir = make_state_dir(tmp_path)
    first = ports(state_dir, running=False)
    before = {name: port for name, port in first.items() if name != "monitor"}
    state_dir.write("ports", before)
    with taken(first["monitor"]):
        after = ports(state_dir, running=running)

    assert before.items() < after.items()
    assert after["monitor"] not in first.values()
    assert ports(state_dir, running=running) == after


def test_two_that_choose_at_once_get_different_ports(tmp_path: Path) -> None:
    """What one has chosen is taken for the other before anything listens there, the public ports as well."""
    with Reservations() as one, Reservations() as other:
        first = choose_ports(make_state_dir(tmp_path / "one"), one, running=False)
        # The same wish for the servers, too: as if both paths had the same hash.
        same = make_state_dir(tmp_path / "other")
        same.write("ports", first)
        second = choose_ports(same, other, running=False)

    assert not set(first.values()) & set(second.values())
    assert ports(same, running=False) == second


def test_a_reservation_is_kept_by_whoever_inherits_it() -> None:
    """It outlives the process that made it, in one that has its sockets, and ends with that one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Reservations() as reservations:
        assert reservations.take([port])
        keeper = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=reservations.descriptors)
    with keeper, Reservations() as others:
        assert not others.take([port])
        keeper.terminate()
        keeper.wait()
        assert others.take([port])


def test_a_refused_set_of_ports_is_not_half_reserved() -> None:
    """Where one of several is taken, the others are free for somebody else."""
    with Reservations() as one, Reservations() as other, Reservations() as third:
        assert one.take([70_002])
        assert not other.take([70_001, 70_002, 70_003])
        assert third.take([70_001, 70_003])
