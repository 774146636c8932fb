from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

GROWTH = 1.35
LIMIT_MB = 700

MEASURED = """
import re, sys, tempfile
from pathlib import Path
import pyarrow as pa
from tests.unit.scoring.disk import DiskStore
from tests.unit.scoring.files import job_over
from interlock_scoring import score

pa.set_memory_pool(pa.system_memory_pool())
file, kind = Path(sys.argv[1]), sys.argv[2]
store = DiskStore(file.parent / f"store-{file.name}")
with tempfile.TemporaryDirectory(dir=file.parent) as folder:
    report = score(job_over(store, store.put_file(file), format=kind), store, Path(folder), threads=2)
print(report.status, report.rows)
print(re.search(r"VmHWM:\\s+([0-9]+) kB", open("/proc/self/status").read())[0])
"""


def parquet(path: Path, rows: int) -> None:
    sizes = np.arange(rows, dtype=np.float64)
    texts: Any = pa.DictionaryArray.from_arrays(np.arange(rows) % 2, np.array(["red", "green"]))
    columns: dict[str, Any] = {"size": sizes, "color": texts.cast(pa.string()), "noise": np.sqrt(sizes)}
    pq.write_table(pa.table(columns), path, row_group_size=1 << 20)


def csv(path: Path, rows: int) -> None:
    block = "".join(f"{number}.5,red,{number * 7}\n" for number in range(10_000))
    with path.open("w") as file:
        file.write("size,color,noise\n")
        for _ in range(rows // 10_000):
            file.write(block)


def peak_mb(folder: Path, kind: str, rows: int) -> float:
    """Return the peak resident memory of a process that scores a file of so many rows, in MB."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    path = folder / f"{rows}.{kind}"
    {"parquet": parquet, "csv": csv}[kind](path, rows)
    command = [sys.executable, "-c", MEASURED, str(path), kind]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]).stdout
    path.unlink()
    assert f"succeeded {rows}" in told
    found = re.search(r"([0-9]+) kB", told)
    assert found is not None, told
    return int(found[1]) / 1000


@pytest.mark.parametrize("kind", ["parquet", pytest.param("csv", marks=pytest.mark.slow)])
def test_memory_does_not_follow_the_file(tmp_path: Path, kind: str) -> None:
    """Four times the rows, the same peak: parts are what is held.

    A peak varies by a tenth, with how many freed pages the allocator happens to hold; what follows the file is there
    every time. So the least of two counts.
    """
    small, large = (min(peak_mb(tmp_path, kind, rows) for _ in range(2)) for rows in (300_000, 1_200_000))

    assert large < LIMIT_MB
    assert large < GROWTH * small
