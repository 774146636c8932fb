"""Served equals trained: ``python -m tests.benchmarks.parity run|page``; ``make bench-parity`` runs it.

``run`` asks 500 random pipelines, in some minutes, and writes ``docs/results/parity.json`` and the page beside it;
``--first`` and ``--until`` ask a part, whose results join those that are there.
"""

import argparse
import asyncio
import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import grpc

from tests.benchmarks.parity import page
from tests.benchmarks.parity.cases import asked
from tests.benchmarks.serving.environments import CHECKOUT
from tests.support.gateway_app import bound, opened

PUBLISHED = CHECKOUT / "docs" / "results" / "parity.json"
PIPELINES = 500
AT_ONCE = 25
"""Models of one gateway, which asks for each of them what serves, over and over."""


async def run(numbers: range) -> list[dict[str, Any]]:
    """Return what became of each pipeline, all served by one gateway."""
    found = []
    with bound() as sock:
        port = sock.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with opened(folder, grpc_port=port) as door, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            for number in numbers:
                found.append(await asked(number, door, channel, folder))
                print(json.dumps(found[-1]), flush=True)
    return found


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.parity", description=__doc__)
    parser.add_argument("what", choices=("run", "page"))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--until", type=int, default=PIPELINES)
    parser.add_argument("--results", type=Path, default=PUBLISHED)
    given = parser.parse_args()
    logging.disable(logging.ERROR)  # there is no broker behind this gateway
    known = {each["number"]: each for each in json.loads(given.results.read_text())} if given.results.exists() else {}
    for first in range(given.first, given.until, AT_ONCE) if given.what == "run" else ():
        part = asyncio.run(run(range(first, min(first + AT_ONCE, given.until))))
        known |= {each["number"]: each for each in part}
        publish(given.results, known)  # after every part: a run that is ended loses none
    publish(given.results, known)


def publish(results: Path, known: dict[int, dict[str, Any]]) -> None:
    """Write what is known of the pipelines, by number, and the page beside it."""
    ordered = [known[number] for number in sorted(known)]
    results.write_text("[\n" + ",\n".join(map(json.dumps, ordered)) + "\n]\n")
    results.with_suffix(".md").write_text(page.written(ordered))


if __name__ == "__main__":
    main()
