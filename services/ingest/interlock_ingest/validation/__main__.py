"""The checking process: ``python -m interlock_ingest.validation FILE SPEC FOLDER ROLE FORM`` leaves FOLDER/result.json.

It runs apart from the service so that a long check does not hold up its event loop, a crash of a parser does not end
it, and all memory goes back when the file is done. It ends when its standard input closes: with the service.
"""

import os
import resource
import sys
import threading
from pathlib import Path
from typing import cast

import pyarrow as pa
from interlock_contracts.datasets import Finding
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import DatasetRole
from interlock_modeling.split import HashForm

from interlock_ingest.validation.result import ValidationResult
from interlock_ingest.validation.validate import validate

ADDRESS_SPACE_BYTES = 4 << 30
"""A file that unpacks to more than this is refused; a sound one stays below a tenth of it."""


def main(file: Path, spec: Path, folder: Path, role: DatasetRole, form: HashForm) -> None:
    """Check the file and leave the result; it appears whole or not at all."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    pa.set_cpu_count(1)
    pa.set_memory_pool(pa.system_memory_pool())  # gives back what it frees; the others hold a quarter more
    pipeline = Pipeline.model_validate_json(spec.read_bytes())
    try:
        result = validate(file, pipeline, folder, role, form)
    except MemoryError:
        why = f"checking the file takes more than {ADDRESS_SPACE_BYTES >> 30} GiB of memory; cut it into batches"
        result = ValidationResult(reasons=[Finding(rule="memory", message=why)])
    unfinished = folder / "result.json.part"
    unfinished.write_text(result.model_dump_json())
    unfinished.rename(folder / "result.json")


def _end_with_the_service() -> None:
    os.read(0, 1)  # nobody writes: it returns when the other end is gone
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_service, daemon=True).start()
    os.nice(5)
    file, spec, folder = map(Path, sys.argv[1:4])
    main(file, spec, folder, cast("DatasetRole", sys.argv[4]), cast("HashForm", int(sys.argv[5])))
