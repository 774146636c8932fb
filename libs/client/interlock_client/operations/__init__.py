"""What can be done, as flows; the two clients make methods of them."""

from interlock_client.operations import datasets, events, models, pipelines, predictions, quality, runs

__all__ = ["datasets", "events", "models", "pipelines", "predictions", "quality", "runs"]
