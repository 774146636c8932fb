"""Event catalog: producers and consumers of each event type."""

from dataclasses import dataclass

from interlock_contracts import datasets, evaluation, models, predictions, training
from interlock_contracts.event import Event

OUTSIDE = "outside"
"""Anyone with the rights, with any AMQP client."""

OBSERVER = "console"
"""Consumes every event and publishes none, so it is in no route: it stores all but ephemeral events, which it shows."""


@dataclass(frozen=True)
class Route:
    """One event type with its producers and consumers, which are services.

    ``per_worker`` consumers get it once in every process, through a queue of the process's own. At most
    ``max_queue_length`` messages wait in a queue; the broker refuses more, which their publisher learns by the
    missing confirm. ``ephemeral`` events are published so often that an outbox remembers them only for a short
    while after they are published, and the observer not at all. ``former_consumers`` consumed it in the last release:
    what still waits in their queues is for the consumers of today, and nothing new comes in.
    """

    event: type[Event]
    producers: tuple[str, ...]
    consumers: tuple[str, ...] = ()
    per_worker: tuple[str, ...] = ()
    max_queue_length: int | None = None
    ephemeral: bool = False
    former_consumers: tuple[str, ...] = ()

    @property
    def external(self) -> bool:
        """Return whether people outside may publish it."""
        return OUTSIDE in self.producers


ROUTES: tuple[Route, ...] = (
    Route(datasets.PipelineApplied, ("registry",), ("ingest", "train_dispatch")),
    Route(datasets.DatasetSubmitted, (OUTSIDE,), ("ingest",)),
    Route(datasets.DatasetIngested, ("ingest",), ("train_dispatch",)),
    Route(datasets.DatasetRejected, ("ingest",)),
    Route(datasets.DatasetDeleted, ("ingest",), ("registry", "train_dispatch")),
    Route(training.RetrainRequested, (OUTSIDE, "gateway"), ("train_dispatch",)),
    Route(training.TrainingCancelRequested, (OUTSIDE,), ("train_dispatch",)),
    Route(training.TrainingQueued, ("train_dispatch",), ("registry",)),
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
    Route(models.ModelArchived, ("registry",), ("train_dispatch",)),
    Route(models.ModelVersionDeleted, ("registry",), per_worker=("gateway", "prediction", "evaluation_gate")),
    Route(
        models.ModelDeleted,
        ("registry",),
        ("ingest", "train_dispatch", "prediction", "monitor"),
        per_worker=("gateway", "prediction", "evaluation_gate"),
    ),
    Route(models.ModelServing, ("gateway",), ("registry",)),
    Route(models.ModelLoadFailed, ("gateway", "prediction"), ("registry",)),
    Route(predictions.PredictionRequested, ("gateway",), ("prediction",), max_queue_length=100_000, ephemeral=True),
    Route(predictions.PredictionCompleted, ("prediction",), ephemeral=True),
    Route(predictions.PredictionFailed, ("prediction",), ephemeral=True),
    Route(
        predictions.PredictionLogged,
        ("gateway", "prediction"),
        ("monitor",),
        ephemeral=True,
        former_consumers=("prediction",),
    ),
    Route(predictions.FeedbackReceived, ("gateway",), ("monitor",), ephemeral=True, former_consumers=("prediction",)),
    Route(predictions.PredictionsErased, ("monitor",), ("registry",)),
)

BY_TYPE: dict[str, Route] = {route.event.type: route for route in ROUTES}
