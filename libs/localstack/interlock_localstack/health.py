"""Health probes of components, each in its own protocol."""

import socket
import struct
from functools import cache
from urllib.parse import unquote, urlsplit

import httpx
from interlock_contracts.deployment import LIVE, READY

from interlock_localstack.component import Probe

SECONDS = 5.0
AMQP_GREETING = b"AMQP\x00\x00\x09\x01"
POSTGRES_PROTOCOL = 196_608
POSTGRES_SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)
PORTS = {"amqp": 5672, "amqps": 5671, "postgresql": 5432, "postgres": 5432}
SERVER_ERROR = 500


def health_fault(probe: Probe, seconds: float = SECONDS) -> str | None:
    """Return None when the component is healthy, else the reason; each request has a timeout of ``seconds``."""
    try:
        match probe.protocol:
            case "amqp":
                return _amqp(probe.url, seconds)
            case "postgres":
                return _postgres(probe.url, seconds)
            case "s3":
                return _s3(probe.url, seconds)
            case "ray":
                return _ray(probe, seconds)
            case "service":
                return _service(probe.url, seconds)
    except (OSError, httpx.TransportError) as error:
        text = str(error) or type(error).__name__
        # In the same words over every protocol.
        return "connection refused" if "Connection refused" in text else f"{probe.protocol}: {text}"


@cache
def _http() -> httpx.Client:
    """Return the shared client (creating one costs more than a request); local addresses bypass proxies."""
    return httpx.Client(mounts={"all://127.0.0.1": None, "all://localhost": None})


def _connect(url: str, seconds: float) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname or "127.0.0.1", address.port or PORTS[address.scheme]), seconds)


def _amqp(url: str, seconds: float) -> str | None:
    """Report the protocol's greeting; a broker answers only once it has booted."""
    with _connect(url, seconds) as connection:
        if urlsplit(url).scheme == "amqps":  # the greeting is inside of TLS, whose trust is the services' to check
            return None
        connection.sendall(AMQP_GREETING)
        return None if connection.recv(1) else "closed the connection instead of a greeting"


def _postgres(url: str, seconds: float) -> str | None:
    """Start a login; a server in recovery refuses it, a ready one asks for the password."""
    address = urlsplit(url)
    fields = ["user", unquote(address.username or "postgres"), "database", address.path.lstrip("/") or "postgres"]
    body = struct.pack("!i", POSTGRES_PROTOCOL) + b"".join(each.encode() + b"\0" for each in fields) + b"\0"
    with _connect(url, seconds) as connection:
        connection.sendall(struct.pack("!i", len(body) + 4) + body)
        answer = connection.recv(1024)
        if answer[:1] == b"R":
            return None
    with _connect(url, seconds) as connection:  # one that asks for TLS first refuses the plain login
        connection.sendall(POSTGRES_SSL_REQUEST)
        if connection.recv(1) == b"S":
            return None
    words = [each[1:].decode(errors="replace") for each in answer[5:].split(b"\0") if each[:1] == b"M"]
    return words[0] if words else "closed the connection instead of asking for a password"


def _s3(url: str, seconds: float) -> str | None:
    """Request the bucket without credentials: a refusal is fine, only a working server refuses."""
    status = _http().head(url, timeout=seconds).status_code
    return f"answers {status}" if status >= SERVER_ERROR else None


def _ray(probe: Probe, seconds: float) -> str | None:
    headers = {"Authorization": f"Bearer {probe.token}"} if probe.token else {}
    # The dashboard answers before any node can work, and after the last one has died.
    answer = _http().get(f"{probe.url}/nodes?view=summary", headers=headers, timeout=seconds)
    if not answer.is_success:
        return f"answers {answer.status_code}"
    nodes = answer.json()["data"]["summary"]
    return None if any(node.get("raylet", {}).get("state") == "ALIVE" for node in nodes) else "no node is alive yet"


def _service(url: str, seconds: float) -> str | None:
    """Check liveness, then readiness, whose body names each dependency and its state."""
    alive = _http().get(f"{url}{LIVE}", timeout=seconds)
    if not alive.is_success:
        return f"{LIVE} answers {alive.status_code}"
    ready = _http().get(f"{url}{READY}", timeout=seconds)
    if ready.is_success:
        return None
    try:
        faults = [f"{name}: {state}" for name, state in ready.json().items() if state != "ok"]
    except (ValueError, AttributeError):
        faults = []
    return "; ".join(faults) or f"{READY} answers {ready.status_code}"
