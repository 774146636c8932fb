"""A key pair as the registry's, and promotions signed with it; keys for tests only."""

from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from interlock_artifacts.signing import SignatureVerifier, Signer
from interlock_contracts.http import ServingView
from interlock_contracts.refs import ModelRef
from interlock_contracts.signature import PromotionSignature, PromotionStatement
from interlock_contracts.stages import PRODUCTION


def key_pair(seed: bytes) -> tuple[str, str]:
    """Return the private and the public key of a seed of 32 bytes, in PEM."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return private, public


PRIVATE, PUBLIC = key_pair(b"\1" * 32)
SIGNER, TRUST = Signer(PRIVATE), SignatureVerifier(PUBLIC)
STRANGER = Signer(key_pair(b"\2" * 32)[0])

SETTINGS = {"signing_key": PRIVATE, "signing_public_key": PUBLIC}
"""For a registry; loaders take the second alone."""


def statement(ref: ModelRef, seq: int, stage: str = PRODUCTION) -> PromotionStatement:
    """Return what the registry states when it promotes ``ref`` to ``stage`` under the number ``seq``."""
    return PromotionStatement(
        model=ref.model,
        version=ref.version,
        artifact=ref.artifact.sha256,
        manifest=ref.manifest.sha256,
        datasets=["d" * 64],
        metrics={"r2": 0.5},
        promotion_seq=seq,
        cause="gate",
        stage=stage,
    )


def serving(ref: ModelRef, seq: int) -> ServingView:
    """Return what the registry tells of a promotion."""
    return ServingView(ref=ref, promotion_seq=seq, cause="gate", promoted_at=datetime.now(UTC), signed=signed(ref, seq))


def signed(ref: ModelRef, seq: int, by: Signer = SIGNER, *, stage: str = PRODUCTION) -> PromotionSignature:
    """Return the registry's signature of a promotion, or another's."""
    return by.sign(statement(ref, seq, stage))
