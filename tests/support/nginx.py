"""nginx on a port of its own, and as a load balancer: what one server does not answer goes to the next one.

A prediction may be asked twice, which nginx cannot know of a POST: so it is told to.
"""

import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.debian_programs import program

WHOLE = """
daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{ }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {servers}
}}
"""

BALANCED = """
upstream servers {{ {servers} }}
server {{
    listen 127.0.0.1:{port} reuseport;
    keepalive_requests 1000000;
    location / {{
        proxy_pass http://servers; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_next_upstream error timeout non_idempotent;
    }}
}}
"""


@contextmanager
def running_nginx(folder: Path, servers: Callable[[int], str]) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Run nginx while the block lasts; yield its port and process.

    ``servers`` returns the configuration of its servers, which listen at the port given, the first with ``reuseport``:
    the port is held for nginx, so that nobody else gets it meanwhile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        configuration = folder / "nginx.conf"
        configuration.write_text(WHOLE.format(folder=folder, servers=servers(port)))
        command = [program("nginx", "nginx-light"), "-e", "stderr", "-c", str(configuration)]
        with subprocess.Popen(command) as running:
            try:
                yield port, running
            finally:
                running.terminate()


@contextmanager
def balanced(folder: Path, urls: Sequence[str]) -> Iterator[str]:
    """Run nginx in front of several servers; yield its address."""
    servers = " ".join(f"server {urlsplit(url).netloc} max_fails=1 fail_timeout=1s;" for url in urls)
    with running_nginx(folder, lambda port: BALANCED.format(servers=servers, port=port)) as (port, _):
        yield f"http://127.0.0.1:{port}"
