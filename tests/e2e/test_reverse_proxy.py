"""The stack behind nginx, by the configuration that `docs/recipes/run-it-for-a-team.md` gives to a team."""

import asyncio
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import httpx
import pytest
from interlock_gateway.protocols import open_inference_pb2 as pb

from tests.support.nginx import running_nginx
from tests.support.stack_user import User, csv
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RECIPE = Path(__file__).parents[2] / "docs/recipes/run-it-for-a-team.md"
API, CONSOLE = "interlock.example.com", "console.interlock.example.com"


class Proxy:
    """A running nginx; ``trust`` is the certificate that it shows."""

    def __init__(self, port: int, trust: Path, process: "subprocess.Popen[bytes]") -> None:
        self.port = port
        self.trust = trust
        self._process = process

    async def answers(self) -> bool:
        """Return whether it forwards requests by now."""
        assert self._process.poll() is None, "nginx ended; its reason is on standard error"
        try:
            async with self.client(API) as http:
                return (await http.get("/health/ready")).is_success
        except httpx.TransportError:
            return False

    def client(self, name: str) -> httpx.AsyncClient:
        """Return a client of one of the two names, as if it were in the DNS."""
        context = ssl.create_default_context(cafile=str(self.trust))
        context.check_hostname = False  # the address is an IP here
        headers = {"Host": f"{name}:{self.port}"}
        return httpx.AsyncClient(base_url=f"https://127.0.0.1:{self.port}", headers=headers, verify=context, timeout=30)


def configured(folder: Path, stack: dict[str, str], port: int) -> str:
    """Return the servers' configuration, as the recipe has it but for addresses and paths; write a certificate."""
    certificate, key = folder / "interlock.pem", folder / "interlock.key"
    names = f"subjectAltName=DNS:{API},DNS:{CONSOLE}"
    making = ("-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={API}", "-addext", names, "-days", "2")
    subprocess.run(["openssl", "req", *making, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    (recipe,) = [block.partition("```")[0] for block in RECIPE.read_text().split("```nginx\n")[1:]]
    recipe = recipe.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl reuseport", 1)
    for given, ours in {
        "listen 443": f"listen 127.0.0.1:{port}",
        "/etc/ssl/interlock.pem": str(certificate),
        "/etc/ssl/interlock.key": str(key),
        "127.0.0.1:8000": urlsplit(stack["INTERLOCK_GATEWAY_URL"]).netloc,
        "127.0.0.1:8080": urlsplit(stack["INTERLOCK_CONSOLE_URL"]).netloc,
        "127.0.0.1:8001": stack["INTERLOCK_GRPC_URL"],
    }.items():
        assert given in recipe, given
        recipe = recipe.replace(given, ours)
    return recipe


@pytest.fixture
def proxy(stack: dict[str, str], tmp_path: Path) -> Iterator[Proxy]:
    """Run nginx in front of the shared stack."""
    with running_nginx(tmp_path, lambda port: configured(tmp_path, stack, port)) as (port, running):
        yield Proxy(port, tmp_path / "interlock.pem", running)


async def test_api_console_events_and_grpc_go_through_a_reverse_proxy(
    user: User, stack: dict[str, str], proxy: Proxy
) -> None:
    """Uploads stream in, events stream out, the session's cookie is for TLS only, and gRPC finds its way."""
    authorized = {"Authorization": f"Bearer {stack['INTERLOCK_API_KEY']}"}
    await until(proxy.answers)
    name = await user.apply()
    async with proxy.client(API) as api, proxy.client(CONSOLE) as console:
        signed_in = await console.post(
            "/session",
            json={"key": stack["INTERLOCK_API_KEY"]},
            headers={"Origin": f"https://{CONSOLE}:{proxy.port}"},
        )
        assert signed_in.status_code == 200, signed_in.text
        assert "secure" in signed_in.headers["set-cookie"].lower()

        async with console.stream("GET", "/view/live", headers=authorized) as events:
            assert events.headers["content-type"].startswith("text/event-stream")
            # 8 MB: more than nginx would keep in memory, and than its limit is without the recipe.
            file = csv(250_000, seed=3)
            uploaded = await api.post(
                f"/datasets/{name}", content=file, headers=authorized | {"Content-Type": "text/csv"}
            )
            assert uploaded.status_code == 202, uploaded.text
            async with asyncio.timeout(60):  # held back in a buffer, it would come minutes later or never
                async for line in events.aiter_lines():
                    if name in line:
                        break

        refused = await api.get("/models")
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")

    secure = grpc.ssl_channel_credentials(proxy.trust.read_bytes())
    options = [("grpc.ssl_target_name_override", API), ("grpc.default_authority", API)]
    async with grpc.aio.secure_channel(f"127.0.0.1:{proxy.port}", secure, options=options) as channel:
        live = channel.unary_unary(
            "/inference.GRPCInferenceService/ServerLive",
            request_serializer=pb.ServerLiveRequest.SerializeToString,
            response_deserializer=pb.ServerLiveResponse.FromString,
        )
        assert (await live(pb.ServerLiveRequest(), timeout=30)).live
