"""A stack of containers on one machine: it does what it is for, and each container can do nothing else."""

import json
from typing import Any

import httpx
import pytest
from interlock_contracts.deployment import PUBLIC_KEY, SERVERS, SERVICES

from tests.support.compose_stack import ComposeStack
from tests.support.stack_user import User, csv
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(900)

OURS = ("ray-head", "ray-worker", *(each.host for each in SERVICES))
EVERY = ("rabbitmq", "postgres", "s3", *OURS)
ADDRESSES = {
    "rabbitmq": ("rabbitmq", 5672),
    "postgres": ("postgres", 5432),
    "s3": ("s3", 8333),
    "ray": ("ray-head", 8265),
}
WORLD = "192.0.2.1"  # no such machine (RFC 5737): whoever has a way out gets no answer, others have no way

TRY = """
import json, socket, sys
def tried(host, port):
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError as error:
        return type(error).__name__ if error.errno is None else error.errno
    return "reached"
print(json.dumps({f"{host}:{port}": tried(host, port) for host, port in json.loads(sys.argv[1])}))
"""


def tried(stack: ComposeStack, service: str, *addresses: tuple[str, int]) -> dict[str, Any]:
    """Return how connections from a container ended, by address: "reached", or an error."""
    done = stack.execute(service, "python", "-c", TRY, json.dumps(addresses))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_a_file_goes_in_and_a_version_serves(stack: ComposeStack, user: User) -> None:
    """By REST alone, over the two ports that are published; and the console has its trace."""
    name = await user.apply()
    assert (await user.ingest(name, csv(400, seed=1)))["state"] == "accepted"

    run = await user.ended(await user.retrain(name))
    assert run["state"] == "succeeded", run
    answer = await user.serves(name, 1)
    assert len(answer["predictions"]) == 1

    console = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{stack.env['CONSOLE_PORT']}", headers=user.http.headers, timeout=30
    )
    async with console:

        async def services() -> bool:
            said = await console.get("/api/services")
            return {"interlock-gateway", "interlock-registry", "interlock-train_dispatch"} <= {*said.json()["data"]}

        await until(services, seconds=60)


@pytest.mark.parametrize("service", EVERY)
def test_a_container_has_no_rights(stack: ComposeStack, service: str) -> None:
    """As the kernel sees its first process; and its root is read-only, which trying shows."""
    status = dict(
        line.split(":", 1)
        for line in stack.execute(service, "cat", "/proc/1/status").stdout.splitlines()
        if ":" in line
    )
    seen = {
        name: status[name].split() for name in ("Uid", "Gid", "CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")
    }
    assert seen == {
        "Uid": ["10001"] * 4,
        "Gid": ["10001"] * 4,
        "CapEff": ["0" * 16],
        "CapPrm": ["0" * 16],
        "CapBnd": ["0" * 16],
        "NoNewPrivs": ["1"],
        "Seccomp": ["2"],
    }
    refused = stack.execute(service, "sh", "-c", "echo > /etc/planted")
    assert "Read-only file system" in refused.stderr


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: str(each.host))
def test_a_service_reaches_the_servers_that_it_uses(stack: ComposeStack, service: Any) -> None:
    """And no other: there is no way to them."""
    ends = tried(stack, service.host, *ADDRESSES.values())
    reached = {name for name, (host, port) in ADDRESSES.items() if ends[f"{host}:{port}"] == "reached"}
    # The store is in Ray's network, and so whoever uses Ray is in the store's.
    assert reached == {server.name for server in SERVERS if server in service.uses}


def test_a_job_reaches_the_object_store_only(stack: ComposeStack) -> None:
    """A program that Ray runs is not Interlock's: it sees neither events nor tables."""
    ends = tried(stack, "ray-worker", *ADDRESSES.values(), ("registry", 8000), (WORLD, 443))
    assert [address for address, end in ends.items() if end == "reached"] == ["s3:8333", "ray-head:8265"]
    assert ends[f"{WORLD}:443"] == 101  # network is unreachable


def test_what_holds_data_has_no_way_out(stack: ComposeStack) -> None:
    """Those that people reach, and that send webhooks, have one; the others could not carry anything away."""
    shut = [each.host for each in SERVICES if tried(stack, each.host, (WORLD, 443))[f"{WORLD}:443"] == 101]
    assert shut == ["ingest", "train-dispatch", "registry", "evaluation-gate", "monitor"]


def test_the_object_store_opens_one_port(stack: ComposeStack) -> None:
    """SeaweedFS's own servers, which know no users, listen to its own container only."""
    within = [("s3", port) for port in (8080, 8888, 9333, 18080, 18888, 19333)]
    ends = tried(stack, "gateway", *within, ("s3", 8333))
    assert ends.pop("s3:8333") == "reached"
    assert {*ends.values()} == {111}  # connection refused


def test_two_services_are_published_on_this_machine_only(stack: ComposeStack) -> None:
    """People's way in: the gateway and the console."""
    bound = {
        name: {
            port: [each["HostIp"] for each in to]
            for port, to in stack.inspect(name)["HostConfig"]["PortBindings"].items()
        }
        for name in EVERY
    }
    assert {name: ports for name, ports in bound.items() if ports} == {
        "gateway": {"8000/tcp": ["127.0.0.1"], "8001/tcp": ["127.0.0.1"]},
        "console": {"8080/tcp": ["127.0.0.1"]},
    }


def test_a_service_has_its_own_secrets_and_no_others(stack: ComposeStack) -> None:
    """The files that a container sees, and what its environment holds."""
    seen = stack.execute("monitor", "ls", "/run/secrets").stdout.split()
    assert sorted(seen) == [
        "key_hashes",
        "key_pepper",
        "monitor_amqp_url",
        "monitor_otlp_headers",
        "monitor_postgres_url",
        "monitor_service_key",
    ]
    for name in EVERY:
        shown = " ".join(stack.inspect(name)["Config"]["Env"])
        assert "ilk_" not in shown
        assert "PRIVATE" not in shown
        assert "://interlock" not in shown
    signs = [name for name in OURS if "signing_key" in stack.execute(name, "ls", "/run/secrets").stdout.split()]
    assert signs == ["registry"]
    assert PUBLIC_KEY.endswith("SIGNING_PUBLIC_KEY")


def test_memory_is_limited(stack: ComposeStack) -> None:
    """A process that takes more than its container has is killed, and the service goes on."""
    limit = next(each.resources.limit_mb for each in SERVICES if each.name == "console")
    greedy = stack.execute("console", "python", "-c", f"bytearray(b'x') * ({limit} << 20)")
    assert greedy.returncode == 137
    assert stack.is_healthy("console")
