"""Chaos by hand: ``python -m tests.chaos run --seconds 600 --events 10000 --seed 7``; ``make chaos`` runs it."""

import argparse
import asyncio
import logging
import random
import shutil
import signal
import sys
from pathlib import Path

from tests.benchmarks.reliability.sections import missing
from tests.chaos.faults import plan
from tests.chaos.run import chaos
from tests.chaos.stack import chaos_stack


def main() -> None:
    """Run, print the counters, and fail where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("what", choices=("run", "plan"), help="plan only prints what would be done")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--events", type=int, default=1000, help="how many must be acknowledged")
    parser.add_argument("--gap", type=float, default=4.0, help="seconds between faults, on the average")
    parser.add_argument("--patience", type=float, default=180.0, help="seconds for everything to come to its end")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # so that servers are stopped
    for name in ("aio_pika", "aiormq"):  # they tell every connection that we cut, at length
        logging.getLogger(name).setLevel(logging.CRITICAL)
    print(f"seed {given.seed}")
    if given.what == "plan":
        print("\n".join(str(fault) for fault in plan(given.seed, seconds=given.seconds, gap=given.gap)))
        return
    with chaos_stack() as stack:
        outcome = asyncio.run(
            chaos(
                stack,
                seed=given.seed,
                seconds=given.seconds,
                events=given.events,
                gap=given.gap,
                patience=given.patience,
            )
        )
        print(outcome.table())
        if not outcome.sound:
            logs = Path(stack.settings["INTERLOCK_HOME"]) / "log"
            kept = logs.with_name(f"log-of-seed-{given.seed}")
            shutil.copytree(logs, kept, dirs_exist_ok=True)
            print(f"the logs are kept in {kept}")
    gaps = missing("chaos", outcome.as_json())
    for gap in gaps:
        print(f"nothing measured: {gap}")
    sys.exit(bool(gaps) or not outcome.sound)


if __name__ == "__main__":
    main()
