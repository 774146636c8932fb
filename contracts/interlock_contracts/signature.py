"""Promotion signatures: what the registry signs when it promotes, and the signature that travels with the promotion.

The hash in an event proves that bytes are those that the event names; who can publish the event could name others. The
signature proves that the registry named them. The statement travels as the very text that was signed, so a reader
that knows fewer fields than its writer verifies it all the same.
"""

import base64
import json
from typing import Literal, Self

from pydantic import Base64Bytes, Field, FiniteFloat, ValidationError

from interlock_contracts.refs import Name, Ref, Sha256
from interlock_contracts.stages import PRODUCTION, StageName

PromotionCause = Literal["gate", "approval", "rollback"]

PROMOTION: Literal["application/vnd.interlock.promotion+json"] = "application/vnd.interlock.promotion+json"
"""Type of the signed payload: a signature of anything else is none of a promotion."""

STAGED_PROMOTION: Literal["application/vnd.interlock.staged-promotion+json"] = (
    "application/vnd.interlock.staged-promotion+json"
)
"""Type of a promotion to another stage than production: who knows of no stages does not take it for production's."""

PayloadType = Literal["application/vnd.interlock.promotion+json", "application/vnd.interlock.staged-promotion+json"]


def envelope(kind: str, payload: bytes) -> bytes:
    """Return what is signed for a payload of a type: the pre-authentication encoding of DSSE v1.

    Source: https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md
    """
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


class PromotionStatement(Ref):
    """What a promotion's signature stands for: these bytes, made from these data, measured so, under this number.

    ``artifact``, ``manifest`` and the gate's ``report`` are SHA-256 digests, ``datasets`` those of the files that were
    trained on; ``metrics`` are the gate's on the holdout, those that are defined there. ``stage`` is left out of the
    text where it is production.
    """

    model: Name
    version: int = Field(ge=1)
    artifact: Sha256
    manifest: Sha256
    datasets: list[Sha256]
    metrics: dict[str, FiniteFloat] = {}
    report: Sha256 | None = None
    promotion_seq: int = Field(ge=1)
    cause: PromotionCause
    stage: StageName = Field(default=PRODUCTION, exclude_if=lambda value: value == PRODUCTION)

    @property
    def payload_type(self) -> PayloadType:
        """Return the type under which it is signed."""
        return PROMOTION if self.stage == PRODUCTION else STAGED_PROMOTION

    def canonical(self) -> str:
        """Return the one text that is signed: JSON, keys in order, no spaces, ASCII only."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False)


class PromotionSignature(Ref):
    """An Ed25519 signature (RFC 8032) of a statement's text; ``key_id`` names the key, and proves nothing.

    ``payload_type`` is signed with the text.
    """

    key_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    statement: str = Field(max_length=1 << 20)
    signature: Base64Bytes
    payload_type: PayloadType = Field(default=PROMOTION, exclude_if=lambda value: value == PROMOTION)

    @classmethod
    def of(cls, key_id: str, statement: str, signature: bytes, payload_type: PayloadType = PROMOTION) -> Self:
        """Return the signature of a statement's text."""
        encoded = base64.b64encode(signature)
        return cls(key_id=key_id, statement=statement, signature=encoded, payload_type=payload_type)

    @property
    def signed(self) -> bytes:
        """Return the bytes that the signature must fit."""
        return envelope(self.payload_type, self.statement.encode())

    def read(self) -> PromotionStatement:
        """Return the statement; trust it only once the signature is verified.

        Raises:
            ValueError: the text is no statement.
        """
        try:
            return PromotionStatement.model_validate_json(self.statement)
        except ValidationError as error:
            raise ValueError(f"the signed text is no statement: {error.errors()[0]['msg']}") from error
