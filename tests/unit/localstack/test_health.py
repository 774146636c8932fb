"""Health is asked in each component's own protocol."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from interlock_localstack.component import Probe, Protocol
from interlock_localstack.health import health_fault


@contextmanager
def saying(answer: bytes, *, connections: int = 1) -> Iterator[int]:
    """Serve a port that reads once and answers ``answer``, then closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(connections):
                connection, _ = server.accept()
                with connection:
                    connection.recv(1024)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        server.settimeout(60)  # nobody connects any more where the block has failed
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join()


@contextmanager
def answering(pages: Mapping[str, tuple[int, object]]) -> Iterator[str]:
    """Serve JSON pages by path."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = pages.get(self.path, (404, {}))
            self.send_response(status)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(json.dumps(body).encode())

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_a_broker_that_greets_is_healthy() -> None:
    """Any byte after the protocol's header means that it has booted."""
    with saying(b"\x01") as port:
        assert health_fault(Probe("amqp", f"amqp://me:secret@127.0.0.1:{port}/")) is None


def test_a_database_that_asks_for_a_password_is_healthy() -> None:
    """It accepts logins, whoever may log in."""
    with saying(b"R\0\0\0\x08\0\0\0\x0a") as port:
        assert health_fault(Probe("postgres", f"postgresql://me:secret@127.0.0.1:{port}/db")) is None


def test_a_database_that_recovers_says_so() -> None:
    """A server after a crash answers, but is not ready."""
    with saying(b"E\0\0\0\x30SFATAL\0C57P03\0Mthe database system is starting up\0\0", connections=2) as port:
        assert (
            health_fault(Probe("postgres", f"postgresql://127.0.0.1:{port}/db")) == "the database system is starting up"
        )


@pytest.mark.parametrize("protocol", ["amqp", "postgres", "s3", "ray", "service"])
def test_what_does_not_listen_is_ill(protocol: Protocol) -> None:
    """Nothing there is told in words, not raised."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    scheme = {"amqp": "amqp", "postgres": "postgresql"}.get(protocol, "http")
    assert "refused" in (health_fault(Probe(protocol, f"{scheme}://127.0.0.1:{port}")) or "")


def test_a_store_that_refuses_strangers_is_healthy() -> None:
    """Only a working server says no; an error of its own is an health_fault."""
    with answering({"/bucket": (403, {}), "/broken": (503, {})}) as url:
        assert health_fault(Probe("s3", f"{url}/bucket")) is None
        assert health_fault(Probe("s3", f"{url}/broken")) == "answers 503"


def test_a_cluster_needs_a_node() -> None:
    """Ray's dashboard answers before anything can run there."""
    page = "/nodes?view=summary"
    with answering({page: (200, {"data": {"summary": [{"raylet": {}}]}})}) as url:
        assert health_fault(Probe("ray", url, "token")) == "no node is alive yet"
    with answering({page: (200, {"data": {"summary": [{"raylet": {"state": "ALIVE"}}]}})}) as url:
        assert health_fault(Probe("ray", url, "token")) is None


def test_a_service_names_the_dependency_that_is_down() -> None:
    """Of a service that lives but is not ready, only the faults are told."""
    ready = (503, {"postgres": "ok", "rabbitmq": "ConnectionError: refused"})
    with answering({"/health/live": (200, {}), "/health/ready": ready}) as url:
        assert health_fault(Probe("service", url)) == "rabbitmq: ConnectionError: refused"
    with answering({"/health/live": (200, {}), "/health/ready": (200, {})}) as url:
        assert health_fault(Probe("service", url)) is None
