"""A Celery application as its users write it: one task, one row, the model loaded once a process."""

import os
from typing import Any

import student
from celery import Celery

app = Celery("tasks", broker=os.environ["BENCH_AMQP"], backend="rpc://")
app.conf.task_default_queue = os.environ["BENCH_QUEUE"]
model: Any = student.load("forest")


@app.task
def predict(row: dict[str, Any]) -> float:
    """Return the prediction for one row."""
    return model.predict([row])[0]  # type: ignore[no-any-return]
