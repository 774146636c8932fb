"""Measures ingest's check beside bare reading: ``python -m tests.benchmarks.checks [--rows 1500000] [--rounds 5]``.

Each figure is processor time of a forked process, user and system, so what else runs on the machine counts little. In
each round every way takes its turn. A check reads, applies every rule, profiles, looks for repeats and leaks, hashes,
splits and writes both sides; ``pyarrow.csv.read_csv`` on one thread only reads.
"""

import argparse
import multiprocessing
import os
import resource
import statistics
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_contracts.pipeline import Pipeline
from interlock_ingest.validation.validate import validate
from interlock_modeling.split import HashForm
from pyarrow import csv

COLUMNS = {
    "id": "integer",
    "city": "category",
    "at": "datetime",
    "distance": "number",
    "fare": "number",
    "riders": "integer",
    "card": "boolean",
    "y": "number",
}


def table(rows: int) -> pa.Table:
    """Return a table with a column of every type, of which every row is another."""
    draw = np.random.default_rng(0)
    at = (draw.integers(0, 365 * 86400, rows) + 1_700_000_000) * 1_000_000
    columns: tuple[Any, ...] = (
        np.arange(rows),
        draw.choice([f"city {number}" for number in range(300)], rows),
        pa.array(at).cast(pa.timestamp("us")),
        np.round(draw.gamma(2, 5, rows), 2),
        np.round(draw.gamma(3, 5, rows), 3),
        draw.integers(1, 7, rows),
        draw.random(rows) < 0.3,
        np.round(draw.normal(0, 9, rows), 4),
    )
    return pa.table(dict(zip(COLUMNS, columns, strict=True)))


def read(path: Path) -> None:
    """Read the CSV as its types are guessed."""
    csv.read_csv(path, csv.ReadOptions(use_threads=False))


def check(path: Path, form: HashForm) -> None:
    """Check the file; it is accepted."""
    data = {"format": path.suffix[1:], "columns": {name: {"type": kind} for name, kind in COLUMNS.items()}}
    pipeline = Pipeline.model_validate({"name": "b", "task": "regression", "target": "y", "data": data})
    with TemporaryDirectory() as folder:
        assert validate(path, pipeline, Path(folder), form=form).accepted


def measured(work: Callable[[], None]) -> float:
    """Return the processor time, in seconds, that the work takes in a process of its own."""
    result = multiprocessing.get_context("fork").SimpleQueue()

    def told() -> None:
        before = resource.getrusage(resource.RUSAGE_SELF)
        work()
        after = resource.getrusage(resource.RUSAGE_SELF)
        result.put(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    process = multiprocessing.get_context("fork").Process(target=told)
    process.start()
    process.join()
    assert process.exitcode == 0
    return cast("float", result.get())


def main() -> None:
    """Print the medians over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_500_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    pa.set_cpu_count(1)
    pa.set_memory_pool(pa.system_memory_pool())
    pa.array([None, 0]).fill_null(0)  # loads what is loaded late
    with TemporaryDirectory() as folder:
        texts, packed = Path(folder) / "t.csv", Path(folder) / "t.parquet"
        csv.write_csv(table(options.rows), texts)
        pq.write_table(table(options.rows), packed)
        ways: dict[str, tuple[Path, Callable[[], None]]] = {
            "pyarrow.csv.read_csv, one thread": (texts, lambda: read(texts)),
            "check of CSV, form 1": (texts, lambda: check(texts, 1)),
            "check of CSV, form 2": (texts, lambda: check(texts, 2)),
            "check of Parquet, form 1": (packed, lambda: check(packed, 1)),
            "check of Parquet, form 2": (packed, lambda: check(packed, 2)),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, (_, work) in ways.items():
                seconds[name].append(measured(work))
        print(f"{options.rows} rows, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}")
        for name, (path, _) in ways.items():
            middle = statistics.median(seconds[name])
            megabytes = path.stat().st_size / 1e6
            print(f"{name}: {middle:.2f} s, {megabytes / middle:.1f} MB/s of {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
