"""The map of the system: who says which event, and who listens."""

from dataclasses import dataclass

from interlock_contracts import datasets, evaluation, models, predictions, training
from interlock_contracts.event import Event

OUTSIDE = "outside"
"""Anyone with the rights, with any AMQP client."""

OBSERVER = "console"
"""Hears every event and says none, so it stands in no route: it keeps all but the frequent ones, which it shows."""


@dataclass(frozen=True)
class Route:
    """One event type, the services that say it and the services that hear it.

    ``per_worker`` consumers hear it once in every process, through a queue of the process's own. Where ``backlog``
    is set, so many messages may wait in a consumer's queue; then the broker refuses more, and whoever says them learns
    so by the missing confirm. ``frequent`` events are said so often that an outbox remembers them only for a short
    while after they are published, and the observer not at all.
    """

    event: type[Event]
    producers: tuple[str, ...]
    consumers: tuple[str, ...] = ()
    per_worker: tuple[str, ...] = ()
    backlog: int | None = None
    frequent: bool = False

    @property
    def external(self) -> bool:
        """Return whether people outside may publish it."""
        return OUTSIDE in self.producers


ROUTES: tuple[Route, ...] = (
    Route(datasets.PipelineApplied, ("registry",), ("ingest", "train_dispatch")),
    Route(datasets.DatasetSubmitted, (OUTSIDE,), ("ingest",)),
    Route(datasets.DatasetIngested, ("ingest",), ("train_dispatch",)),
    Route(datasets.DatasetRejected, ("ingest",)),
    Route(training.RetrainRequested, (OUTSIDE, "gateway"), ("train_dispatch",)),
    Route(training.TrainingCancelRequested, (OUTSIDE,), ("train_dispatch",)),
    Route(training.TrainingStarted, ("train_dispatch",)),
    Route(training.TrainingProgressed, ("train_dispatch",)),
    Route(training.TrainingCompleted, ("train_dispatch",), ("registry",)),
    Route(training.TrainingCancelled, ("train_dispatch",), ("registry",)),
    Route(training.TrainingFailed, ("train_dispatch",)),
    Route(models.ModelRegistered, ("registry",), ("evaluation_gate",)),
    Route(evaluation.EvaluationPassed, ("evaluation_gate",), ("registry", "train_dispatch")),
    Route(evaluation.EvaluationFailed, ("evaluation_gate",), ("registry", "train_dispatch")),
    Route(models.PromotionApproved, ("registry",)),
    Route(models.RollbackRequested, (OUTSIDE,), ("registry",)),
    Route(models.ModelPromoted, ("registry",), ("train_dispatch",), per_worker=("gateway", "prediction")),
    Route(models.ModelRetired, ("registry",)),
    Route(models.ModelServing, ("gateway",), ("registry",)),
    Route(models.ModelLoadFailed, ("gateway", "prediction"), ("registry",)),
    Route(predictions.PredictionRequested, ("gateway",), ("prediction",), backlog=100_000, frequent=True),
    Route(predictions.PredictionCompleted, ("prediction",), frequent=True),
    Route(predictions.PredictionFailed, ("prediction",), frequent=True),
    Route(predictions.PredictionLogged, ("gateway",), ("prediction",), frequent=True),
    Route(predictions.FeedbackReceived, ("gateway",), ("prediction",), frequent=True),
)

BY_TYPE: dict[str, Route] = {route.event.type: route for route in ROUTES}
