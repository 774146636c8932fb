"""The serving benchmark: ``python -m tests.benchmarks.serving run|page|lock``; ``make bench-serving`` runs it."""

import argparse
import asyncio
import logging
import os
import shlex
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.serving import environments, machine, page, sections
from tests.benchmarks.serving.cells import FULL, QUICK
from tests.benchmarks.serving.store import Results

_PUBLISHED = environments.CHECKOUT / "docs" / "results" / "serving.json"
_TRIED = environments.CHECKOUT / ".interlock" / "bench" / "serving.json"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.serving", description=__doc__)
    parser.add_argument("what", choices=("run", "page", "lock"))
    parser.add_argument("--quick", action="store_true", help="one short round, kept out of docs/results")
    parser.add_argument("--resume", action="store_true", help="go on with the results file instead of a new one")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="servers whose names begin so")
    parser.add_argument("--sections", nargs="*", default=list(sections.SECTIONS), choices=list(sections.SECTIONS))
    parser.add_argument("--data", type=Path, default=os.environ.get("INTERLOCK_BENCH_DATA"), help="the student table")
    parser.add_argument("--results", type=Path, help="the results file; its page stands beside it")
    return parser.parse_args()


def _command(arguments: argparse.Namespace) -> str:
    """Return the command as others would give it, without the paths of this machine."""
    words = ["--quick"] * arguments.quick + ["--resume"] * arguments.resume
    words += ["--only", *arguments.only] if arguments.only else []
    words += ["--sections", *arguments.sections] if arguments.sections != list(sections.SECTIONS) else []
    data = "INTERLOCK_BENCH_DATA=… " if arguments.data else ""
    return data + "make bench-serving" + (f" ARGUMENTS={shlex.quote(' '.join(words))}" if words else "")


def main() -> None:
    """Do what the command line says."""
    arguments = _arguments()
    path: Path = arguments.results or (_TRIED if arguments.quick or arguments.only else _PUBLISHED)
    if arguments.what == "lock":
        environments.lock_all()
        return
    if arguments.what == "run":
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # so that servers are stopped
        logging.disable(logging.INFO)  # whatever a library configures: only measurements are printed
        results = Results.read(path) if arguments.resume and path.exists() else Results(path)
        results.data |= {
            "date": datetime.now(UTC).date().isoformat(),
            "command": _command(arguments),
            "commit": machine.commit(),
            "machine": machine.description(),
            "versions": machine.versions(),
        }
        run = sections.Run(QUICK if arguments.quick else FULL, arguments.only, arguments.data, results)
        asyncio.run(run.all(arguments.sections))
        print(page.write(results))
        if missing := run.missing(arguments.sections):
            sys.exit("not measured:\n" + "\n".join(missing))
        return
    print(page.write(Results.read(path)))


if __name__ == "__main__":
    main()
