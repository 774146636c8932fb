from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from interlock_contracts.pipeline import Pipeline
from interlock_ingest.validation.server import ONE_THREAD

COLUMNS = {
    "batch": {"type": "integer"},
    "id": {"type": "integer"},
    "at": {"type": "datetime"},
    "city": {"type": "category"},
    "a": {"type": "number"},
    "b": {"type": "number"},
    "flag": {"type": "boolean"},
    "y": {"type": "number"},
}
LIMIT_MB = 400
GROWTH = 1.3

MEASURED = """
import re, sys
from pathlib import Path
from interlock_ingest.validation.__main__ import main
main(*map(Path, sys.argv[1:4]), "training", 2)
print(re.search(r"VmHWM:\\s+([0-9]+) kB", open("/proc/self/status").read())[0])
"""


def generate(path: Path, megabytes: int) -> None:
    """Write a CSV in which every row is another."""
    rows = [
        f'{n},2026-01-{n % 28 + 1:02} 12:00:00,"city {n % 50}, X",{n * 0.37:.4f},{n % 977},{n % 2 == 0},{n * 1.5}'
        for n in range(20_000)
    ]
    block = "\n".join(rows)
    with path.open("w") as file:
        file.write(",".join(COLUMNS) + "\n")
        batch = 0
        while file.tell() < megabytes * 1_000_000:
            file.write(f"{batch},{block}\n".replace("\n", f"\n{batch},").removesuffix(f"{batch},"))
            batch += 1


def peak_mb(folder: Path, megabytes: int, **data: object) -> float:
    """Return the peak resident memory of the process that checks a file of this size, in MB."""
    work = folder / str(megabytes)
    work.mkdir()
    file, spec = work / "file.csv", work / "spec.json"
    generate(file, megabytes)
    pipeline = {"name": "big", "task": "regression", "target": "y", "data": {"columns": COLUMNS, **data}}
    spec.write_text(Pipeline.model_validate(pipeline).model_dump_json())
    words = [sys.executable, "-c", MEASURED, str(file), str(spec), str(work)]
    told = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | ONE_THREAD).stdout
    file.unlink()
    assert (work / "train.parquet").stat().st_size > megabytes * 50_000, "the file was refused"
    found = re.search(r"([0-9]+) kB", told)
    assert found is not None, told
    return int(found[1]) / 1000


def test_a_file_of_50_mb_is_checked_in_flat_memory(tmp_path: Path) -> None:
    """Memory does not follow the file's size: five times the file, the same peak."""
    small, large = peak_mb(tmp_path, 10), peak_mb(tmp_path, 50)

    assert large < LIMIT_MB
    assert large < GROWTH * small


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("by", ["hash", "time"])
def test_a_file_of_1_gb_is_checked_in_flat_memory(tmp_path: Path, by: str) -> None:
    """Ten times the file, the same peak; by time too, where the newest part is found without sorting."""
    holdout = {"by": "time", "column": "at"} if by == "time" else {}
    small, large = (peak_mb(tmp_path, size, holdout=holdout) for size in (100, 1000))

    assert large < LIMIT_MB
    assert large < GROWTH * small
