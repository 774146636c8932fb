"""A registry of images and charts on loopback: Debian's docker-registry."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.debian_programs import program
from tests.support.gateway_app import bound

_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextmanager
def image_registry(folder: Path) -> Iterator[str]:
    """Run a registry that keeps what it is given in ``folder``; yield its host and port."""
    command = program("docker-registry", "docker-registry")
    with bound() as sock:
        port = sock.getsockname()[1]
    config = folder / "registry.yml"
    config.write_text(_CONFIG.format(folder=folder / "registry", port=port))
    with (
        (folder / "registry.log").open("w") as log,
        subprocess.Popen([command, "serve", str(config)], stderr=log, stdout=log) as process,
    ):
        try:
            deadline = time.monotonic() + 60
            while not _answers(port):
                assert process.poll() is None, (folder / "registry.log").read_text()
                assert time.monotonic() < deadline, "the registry does not answer"
                _wait(process)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Give a process a moment, and return early when it ends."""
    try:
        process.wait(0.05)
    except subprocess.TimeoutExpired:
        return


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/v2/", trust_env=False).is_success
    except httpx.TransportError:
        return False
