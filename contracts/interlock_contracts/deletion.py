"""Bodies of the REST API about what is deleted for good; a tombstone of it stays."""

from datetime import datetime

from pydantic import Field

from interlock_contracts.http import Body, Request
from interlock_contracts.refs import DatasetRole, Sha256


class Deleted(Body):
    """By whom something was deleted, and when; its objects are gone from the store by ``objects_gone_after``.

    What others have in common with it stays for them.
    """

    deleted_at: datetime
    deleted_by: str
    objects_gone_after: datetime


class DeletedDatasetView(Deleted):
    """A file that was deleted."""

    pipeline: str
    digest: Sha256


class DeletedVersionView(Deleted):
    """A version that was deleted."""

    model: str
    version: int


class ModelDeletion(Request):
    """What deletes a model: its ``name`` once more, as a confirmation, and why."""

    name: str
    reason: str | None = Field(default=None, max_length=1000)


class DeletedModelView(Deleted):
    """A model that was deleted with all its ``versions``, of which this is the number, and why."""

    model: str
    versions: int
    reason: str | None = None


class DueVersion(Body):
    """A version that is past its retention; ``kept_because`` says why it is not deleted, if it is not."""

    version: int
    stage: str
    registered_at: datetime
    kept_because: str | None = None


class DueDataset(Body):
    """A file that is past its retention; ``kept_because`` says why it is not deleted, if it is not."""

    digest: Sha256
    batch: int | None = None
    state: str
    role: DatasetRole
    file_name: str | None = None
    received_at: datetime
    kept_because: str | None = None
