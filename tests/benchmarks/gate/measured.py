"""One evaluation in a process of its own: seconds of the processor, the greatest memory, the size of the report."""

import json
import resource
import sys
import time
from pathlib import Path

from interlock_artifacts import MemoryStore
from interlock_contracts.models import ModelRegistered
from interlock_evaluation_gate.evaluation import evaluate
from interlock_serving.cache import Cache
from interlock_serving.loading import Loader

from tests.support.stored_models import in_this_process

EVENT = "event.json"


class FolderStore(MemoryStore):
    """Objects in the files of a folder, so that what is stored is not in the memory that is measured."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def _get(self, key: str) -> bytes:
        return (self._folder / key.replace("/", "-")).read_bytes()


def spread_out(store: MemoryStore, event: ModelRegistered, folder: Path) -> None:
    """Write the objects, and what the gate is asked."""
    for key, data in store.objects.items():
        (folder / key.replace("/", "-")).write_bytes(data)
    (folder / EVENT).write_text(event.model_dump_json())


def main(folder: Path) -> None:
    """Evaluate what is in the folder, and print the numbers as JSON."""
    event = ModelRegistered.model_validate_json((folder / EVENT).read_text())
    store = FolderStore(folder)
    started, before = time.perf_counter(), time.process_time()
    report = evaluate(event, store, Loader(Cache(store, folder / "cache"), in_this_process))
    text = report.model_dump_json()
    found = {
        "rows": report.rows,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - before,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "report": len(text),
        "passed": report.passed,
        "reasons": report.reasons,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
