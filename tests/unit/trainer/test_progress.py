import json

from interlock_artifacts import MemoryStore
from interlock_contracts.http import ProgressView
from interlock_trainer.progress import Progress


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


def test_progress_is_written_at_most_once_a_second() -> None:
    """What changes in between is told with the next write."""
    store, clock = MemoryStore(), Clock()
    progress = Progress(store, "runs/x/1", clock)

    progress.update(stage="read", metric="r2")
    progress.update(stage="select")
    clock.now += 0.9
    progress.update(trials_total=4)
    first = json.loads(store.read("runs/x/1/progress.json") or b"")
    clock.now += 0.2
    progress.update(trials_done=1, best_score=0.5)
    second = json.loads(store.read("runs/x/1/progress.json") or b"")

    assert (first["counter"], first["stage"], first["trials_total"]) == (1, "read", 0)
    assert ProgressView.model_validate(second) == ProgressView(
        counter=2, stage="select", trials_done=1, trials_total=4, best_score=0.5, metric="r2"
    )
