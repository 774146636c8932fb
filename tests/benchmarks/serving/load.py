"""The load generator: wrk, with a different row in each request."""

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.serving import processes

_SCRIPT = Path(__file__).with_name("wrk.lua")
_SLACK_SECONDS = 60


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw; ``errors`` are connections that failed, time-outs and answers other than 2xx."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    errors: int


async def load(url: str, bodies: Path | None, *, connections: int, seconds: int, key: str | None = None) -> Load:
    """Ask ``url`` over kept connections: POST with the lines of ``bodies`` in turn, or GET where there are none.

    Raises:
        RuntimeError: wrk is missing, or could not connect.
    """
    if shutil.which("wrk") is None:
        raise RuntimeError("the benchmark needs wrk: sudo apt-get install -y wrk")
    headers = ["Content-Type: application/json", *([f"Authorization: Bearer {key}"] if key else [])]
    options = [f"-c{connections}", "-t1", f"-d{seconds}s", "--timeout", f"{_SLACK_SECONDS}s", "-s", str(_SCRIPT)]
    named = [part for header in headers for part in ("-H", header)]
    process = await asyncio.create_subprocess_exec(
        "wrk",
        *options,
        *named,
        url,
        *(["--", str(bodies)] if bodies else []),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), seconds + _SLACK_SECONDS)
    finally:
        await processes.end(process)
    return read(output.decode())


def read(output: str) -> Load:
    """Read what ``wrk.lua`` printed.

    Raises:
        RuntimeError: it printed nothing of ours.
    """
    for line in output.splitlines():
        if line.startswith("measured "):
            return Load(**json.loads(line.removeprefix("measured ")))
    raise RuntimeError(f"wrk measured nothing: {output.strip()[-300:]}")
