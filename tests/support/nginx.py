"""nginx in front of several servers, as a load balancer: what one of them does not answer goes to the next one.

A prediction may be asked twice, which nginx cannot know of a POST: so it is told to.
"""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.debian_programs import program

WHOLE = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream servers {{ {servers} }}
    server {{
        listen 127.0.0.1:{port} reuseport;
        keepalive_requests 1000000;
        location / {{
            proxy_pass http://servers; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_next_upstream error timeout non_idempotent;
        }}
    }}
}}
"""


@contextmanager
def balanced(folder: Path, urls: Sequence[str]) -> Iterator[str]:
    """Run nginx while the block lasts; give its address."""
    folder.mkdir(parents=True, exist_ok=True)
    servers = " ".join(f"server {urlsplit(url).netloc} max_fails=1 fail_timeout=1s;" for url in urls)
    with socket.socket() as held:  # nginx shares the port that is held for it, so that nobody else gets it meanwhile
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        configuration = folder / "nginx.conf"
        configuration.write_text(WHOLE.format(folder=folder, servers=servers, port=port))
        command = [program("nginx", "nginx-light"), "-e", "stderr", "-c", str(configuration)]
        with subprocess.Popen(command) as running:
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                running.terminate()
