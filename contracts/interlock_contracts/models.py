"""Events about versions of models: registered, promoted, serving."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from interlock_contracts.event import Event
from interlock_contracts.ledger import Claim
from interlock_contracts.refs import ArtifactRef, ModelRef, Name, Ref, Sha256
from interlock_contracts.signature import PromotionCause, PromotionSignature
from interlock_contracts.stages import PRODUCTION, StageName


class ChampionRef(Ref):
    """The version that serves now; registries of before did not name its manifest."""

    version: int = Field(ge=1)
    artifact: ArtifactRef
    manifest: ArtifactRef | None = None


class _ModelEvent(Event):
    model: Name
    version: int = Field(ge=1)

    @property
    def subject(self) -> str:
        return f"model/{self.model}"


class ModelRegistered(_ModelEvent):
    """True once a trained model has its version number; the gate measures it against ``champion``.

    ``evaluation`` is the digest of the evaluation file whose rows ``holdouts`` are; None where they were held out of
    the files that it was trained on. ``claim`` says by how much the comparison with the champion may err; without it,
    as from an older registry, that is what the spec declares. ``champion`` is that of ``stage``, for which it is
    judged.
    """

    type: ClassVar[str] = "model.registered"

    run_id: UUID
    artifact: ArtifactRef
    manifest: ArtifactRef
    pipeline_digest: Sha256
    spec: ArtifactRef
    holdouts: list[ArtifactRef] = Field(min_length=1)
    evaluation: Sha256 | None = None
    champion: ChampionRef | None = None
    claim: Claim | None = None
    stage: StageName = PRODUCTION


class PromotionApproved(_ModelEvent):
    """True once a person with the right to do so has approved a version that the gate let through."""

    type: ClassVar[str] = "promotion.approved"

    by: str
    stage: StageName = PRODUCTION


class RollbackRequested(Event):
    """A request to serve an earlier version again in ``stage``: the one named, else the one that served before."""

    type: ClassVar[str] = "rollback.requested"

    model: Name
    version: int | None = Field(default=None, ge=1)
    reason: str | None = Field(default=None, max_length=1000)
    stage: StageName = PRODUCTION

    @property
    def subject(self) -> str:
        return f"model/{self.model}"


class ModelPromoted(_ModelEvent):
    """True once ``registry`` has made a version the champion of ``stage``; ``promotion_seq`` counts up per model.

    ``promotion`` is the trace context of the promotion, for links from predictions. ``signed`` is the
    signature that consumers verify; events from before there were signatures have none.
    """

    type: ClassVar[str] = "model.promoted"

    artifact: ArtifactRef
    manifest: ArtifactRef
    promotion_seq: int = Field(ge=1)
    cause: PromotionCause
    run_id: UUID | None = None
    promotion: str | None = None
    signed: PromotionSignature | None = None
    stage: StageName = PRODUCTION

    @property
    def ref(self) -> ModelRef:
        """Return what a gateway needs to load."""
        return ModelRef(model=self.model, version=self.version, artifact=self.artifact, manifest=self.manifest)


class ModelRetired(_ModelEvent):
    """True once a version that served in ``stage`` has been replaced there by another."""

    type: ClassVar[str] = "model.retired"

    replaced_by: int = Field(ge=1)
    stage: StageName = PRODUCTION


class ModelArchived(Event):
    """True once ``registry`` has archived a model, or brought it back; ``seq`` counts both up per model.

    An archived model serves nothing and takes no new training; ``by`` says who decided.
    """

    type: ClassVar[str] = "model.archived"

    model: Name
    archived: bool
    seq: int = Field(ge=1)
    by: str

    @property
    def subject(self) -> str:
        return f"model/{self.model}"


class ModelVersionDeleted(_ModelEvent):
    """True once a version that does not serve was deleted, by a person or by retention; ``by`` says which.

    Whoever keeps copies of its bytes drops them; in the object store they are gone after the registry's grace time.
    """

    type: ClassVar[str] = "model.version_deleted"

    artifact: ArtifactRef
    by: str


class DeletedVersion(Ref):
    """A version that went with its model, and where its description was."""

    version: int = Field(ge=1)
    artifact: ArtifactRef


class ModelDeleted(Event):
    """True once a person has deleted a model with all its versions, whose name is not reused.

    ``versions`` are those that were there until then. Whoever keeps anything of the model deletes it: copies of its
    versions, files, predictions, ground truth. ``seq`` goes on from that of ``model.archived``; ``by`` says who did it.
    """

    type: ClassVar[str] = "model.deleted"

    model: Name
    versions: list[DeletedVersion]
    seq: int = Field(ge=1)
    by: str
    reason: str | None = Field(default=None, max_length=1000)

    @property
    def subject(self) -> str:
        return f"model/{self.model}"


class _WorkerEvent(_ModelEvent):
    worker: str
    promotion_seq: int = Field(ge=1)

    @property
    def subject(self) -> str:
        """Return the subject of this worker's step to this promotion."""
        return f"worker/{self.worker}/{self.model}/{self.promotion_seq}"


class ModelServing(_WorkerEvent):
    """True once one gateway worker answers with a version; ``load_seconds`` from the start of its load to the swap."""

    type: ClassVar[str] = "model.serving"

    load_seconds: float = Field(ge=0)


class ModelLoadFailed(_WorkerEvent):
    """True once one gateway worker, or one replica of prediction, could not load a version; what it had serves on."""

    type: ClassVar[str] = "model.load_failed"

    reason: str
