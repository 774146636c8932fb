"""Events about pipelines and the data that comes in for them."""

from typing import ClassVar

from pydantic import Field

from interlock_contracts.event import Event
from interlock_contracts.refs import MAX_CALLER, ArtifactRef, DatasetRef, DatasetRole, Name, Ref, Sha256


class Finding(Ref):
    """One reason or warning about a file: the rule, where it was broken, how often, and what would be right."""

    rule: str
    column: str | None = None
    count: int = Field(default=1, ge=0)
    lines: list[int] = []
    examples: list[str] = []
    message: str


class PipelineApplied(Event):
    """True once ``registry`` has stored a pipeline's spec; ``revision`` counts up per pipeline."""

    type: ClassVar[str] = "pipeline.applied"

    pipeline: Name
    pipeline_digest: Sha256
    spec: ArtifactRef
    revision: int = Field(ge=1)

    @property
    def subject(self) -> str:
        """Return the model's subject: pipeline and model share their name."""
        return f"model/{self.pipeline}"


class DatasetSubmitted(Event):
    """A request to take in an object that lies below ``incoming/<pipeline>/`` of the bucket."""

    type: ClassVar[str] = "dataset.submitted"

    pipeline: Name
    object: str = Field(min_length=1, max_length=1024)
    role: DatasetRole = "training"

    @property
    def subject(self) -> str:
        """Return the object's subject; its digest is not known yet."""
        return f"dataset/{self.pipeline}/{self.object}"


class DatasetIngested(Event):
    """True once a file kept every rule of its pipeline and both sides of its split are stored.

    ``batch`` numbers the files of a pipeline in the order in which they were received, so that a window of the last N
    is the same for everyone, however long each check takes; rejected files leave gaps, and so do evaluation
    files in the order of those that are trained on. ``uploaded_by`` is the name of the key or user, None for an object
    that was submitted.

    A stored file that was ``read_again``, for a spec that shapes its rows in another way, is told once all are that
    were. It is nothing new, so they start one run together: the last of them names them all in ``last_of``.
    """

    type: ClassVar[str] = "dataset.ingested"

    pipeline: Name
    pipeline_digest: Sha256
    dataset: DatasetRef
    batch: int = Field(ge=1)
    profile: ArtifactRef
    warnings: list[Finding] = []
    uploaded_by: str | None = Field(default=None, max_length=MAX_CALLER)
    role: DatasetRole = "training"
    read_again: bool = False
    last_of: list[Sha256] = []

    @property
    def subject(self) -> str:
        return f"dataset/{self.pipeline}/{self.dataset.digest}"


class DatasetRejected(Event):
    """True once a file broke at least one rule; the file itself is kept for inspection."""

    type: ClassVar[str] = "dataset.rejected"

    pipeline: Name
    pipeline_digest: Sha256 | None = None
    digest: Sha256 | None = None
    object: str | None = None
    reasons: list[Finding] = Field(min_length=1)

    @property
    def subject(self) -> str:
        """Return the dataset's subject, by digest where one is known, else by the submitted object."""
        return f"dataset/{self.pipeline}/{self.digest or self.object}"


class DatasetDeleted(Event):
    """True once a file was deleted, by a person or by retention; ``by`` says which.

    ``batch`` is the number it had, None for a file that was never accepted. The same bytes may come again: they are
    another file then, with a higher number. The stored objects are gone after the grace time of ``ingest``.
    """

    type: ClassVar[str] = "dataset.deleted"

    pipeline: Name
    digest: Sha256
    batch: int | None = Field(default=None, ge=1)
    by: str

    @property
    def subject(self) -> str:
        return f"dataset/{self.pipeline}/{self.digest}"
