"""Fault injection: named crash points at which a test makes a process die, to look at what is left.

They stand where a step ends and the next has not begun: between an effect and its event, a commit and its
acknowledgement. ``INTERLOCK_CRASH_AT=relay.before_send python -m interlock_registry`` dies the first time it gets
there, as hard as ``kill -9`` does. Without the variable a point costs a look at the environment. How to add one:
``docs/recipes/add-a-crash-point.md``.
"""

import os

VARIABLE = "INTERLOCK_CRASH_AT"
STATUS = 137
"""What a shell reports of a process that was killed with SIGKILL."""

CRASH_POINTS = (
    "relay.before_send",
    "relay.after_confirm",
    "delivery.before_inbox",
    "delivery.before_commit",
    "delivery.after_commit",
    "delivery.before_retry",
    "delivery.after_retry",
    "delivery.before_dead_letter",
    "delivery.after_dead_letter",
    "batches.before_commit",
    "batches.after_commit",
    "registry.apply.before_commit",
    "registry.register.before_commit",
    "registry.promote.before_commit",
    "registry.approve.before_commit",
    "registry.rollback.before_commit",
    "registry.advance.before_commit",
    "registry.delete.before_commit",
    "registry.delete_model.before_commit",
    "registry.collect.deleted",
    "ingest.upload.stored",
    "ingest.upload.committed",
    "ingest.submission.stored",
    "ingest.check.done",
    "ingest.check.parts_stored",
    "ingest.reading.announced",
    "ingest.delete.before_commit",
    "ingest.collect.files",
    "ingest.collect.deleted",
    "train_dispatch.prepare.job_stored",
    "train_dispatch.submit.before",
    "train_dispatch.submit.after",
    "train_dispatch.complete.manifest_seen",
    "train_dispatch.end.stopped",
    "trainer.artifact_stored",
    "trainer.manifest_stored",
    "evaluation_gate.report_stored",
    "evaluation_gate.published",
    "prediction.answers.computed",
    "prediction.webhook.posted",
    "prediction.file.stored",
    "prediction.file.scored",
    "gateway.prediction.accepted",
    "gateway.prediction.published",
    "gateway.swap.loaded",
    "gateway.swap.done",
    "gateway.swap.remembered",
)


def crash_point(name: str) -> None:
    """Die here if ``INTERLOCK_CRASH_AT`` names this point: no clean-up, no flush, no exit handler."""
    if os.environ.get(VARIABLE) == name:
        os.write(2, f"{VARIABLE}: dying at {name}\n".encode())
        os._exit(STATUS)
