"""Small values that events carry instead of bytes."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest as 64 lower-case hexadecimal digits."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
"""A pipeline or model name: lower-case letters, digits and dashes, at most 63, as in a DNS label."""

DatasetRole = Literal["training", "evaluation"]
"""What a file is for: to be trained on, with a share of it held out, or all of it for the gate to judge on."""

MAX_CALLER = 400
"""Characters of a caller's name in an event; the subject of a token may be longer."""


class Ref(BaseModel):
    """Base of the references: immutable, tolerant of fields that a newer producer adds."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ArtifactRef(Ref):
    """Bytes in the object store, found by what they are.

    ``holdout`` objects live under a prefix of their own, which the trainer's rights do not cover.
    """

    sha256: Sha256
    bytes: int = Field(ge=0)
    holdout: bool = False

    @property
    def key(self) -> str:
        """Return the object's key, for instance ``sha256/ab/abcd…``."""
        prefix = "holdout/sha256" if self.holdout else "sha256"
        return f"{prefix}/{self.sha256[:2]}/{self.sha256}"


class DatasetRef(Ref):
    """One accepted dataset: a file's digest and the two sides of its split.

    All rows of an evaluation file are on the side of the holdout; its training part has none.
    """

    digest: Sha256
    train: ArtifactRef
    holdout: ArtifactRef
    train_rows: int = Field(ge=0)
    holdout_rows: int = Field(ge=0)


class ModelRef(Ref):
    """What a gateway needs to load one version: the bundle of encoder and engine, and its manifest."""

    model: Name
    version: int = Field(ge=1)
    artifact: ArtifactRef
    manifest: ArtifactRef
