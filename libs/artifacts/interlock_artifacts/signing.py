"""Signing promotions, and believing none that is not signed: Ed25519, by keys in PEM."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from interlock_contracts.refs import ModelRef
from interlock_contracts.signature import PromotionSignature, PromotionStatement, envelope
from interlock_contracts.stages import PRODUCTION

_END = "-----END PUBLIC KEY-----"


class UntrustedPromotionError(Exception):
    """A promotion without a valid signature of the registry; the text has the reason."""


class Signer:
    """The one who signs; ``pem`` is an Ed25519 private key as PKCS 8.

    Raises:
        ValueError: it is none.
    """

    def __init__(self, pem: str) -> None:
        key = load_pem_private_key(pem.strip().encode() + b"\n", password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("INTERLOCK_SIGNING_KEY is no Ed25519 private key; `openssl genpkey -algorithm ed25519`")  # noqa: TRY004
        self.key = key
        self.key_id = key_id(key.public_key())

    def sign(self, statement: PromotionStatement) -> PromotionSignature:
        text = statement.canonical()
        signature = self.key.sign(envelope(statement.payload_type, text.encode()))
        return PromotionSignature.of(self.key_id, text, signature, statement.payload_type)


class SignatureVerifier:
    """The keys whose signatures count: ``pems`` holds one or more public keys, one after the other.

    Raises:
        ValueError: there is none, or one is no Ed25519 public key.
    """

    def __init__(self, pems: str) -> None:
        blocks = [block.strip() for block in pems.split(_END) if block.strip()]
        keys = [load_pem_public_key(f"{block}\n{_END}\n".encode()) for block in blocks]
        ours = {key_id(key): key for key in keys if isinstance(key, Ed25519PublicKey)}
        if not ours or len(ours) < len(keys):
            raise ValueError("INTERLOCK_SIGNING_PUBLIC_KEY must hold Ed25519 public keys in PEM, and at least one")
        self._keys = ours

    def require_key_of(self, signer: Signer) -> None:
        """Return when what ``signer`` signs counts.

        Raises:
            ValueError: its public key is not among those here.
        """
        if signer.key_id not in self._keys:
            raise ValueError(
                f"INTERLOCK_SIGNING_PUBLIC_KEY does not hold the public key {signer.key_id} of INTERLOCK_SIGNING_KEY"
            )

    def verify(self, signed: PromotionSignature) -> PromotionStatement:
        """Return what is stated, by a key that counts.

        Raises:
            UntrustedPromotionError: the key is not known, the signature wrong, or the text no statement.
        """
        if (key := self._keys.get(signed.key_id)) is None:
            raise UntrustedPromotionError(f"it is signed by the unknown key {signed.key_id}")
        try:
            key.verify(signed.signature, signed.signed)
            return signed.read()
        except InvalidSignature as error:
            raise UntrustedPromotionError("its signature is wrong") from error
        except ValueError as error:
            raise UntrustedPromotionError(str(error)) from error

    def check(self, ref: ModelRef, seq: int, signed: PromotionSignature | None, *, stage: str = PRODUCTION) -> None:
        """Return when the registry has signed that ``ref`` is promoted to ``stage`` under the number ``seq``.

        Raises:
            UntrustedPromotionError: it has not; the text names what is missing, or stated otherwise.
        """
        if signed is None:
            raise UntrustedPromotionError("it is not signed")
        statement = self.verify(signed)
        expected = {
            "model": ref.model,
            "version": ref.version,
            "artifact": ref.artifact.sha256,
            "manifest": ref.manifest.sha256,
            "promotion_seq": seq,
            "stage": stage,
        }
        if differing := [name for name, value in expected.items() if getattr(statement, name) != value]:
            raise UntrustedPromotionError(f"its signature is for another {' and another '.join(differing)}")


def key_id(key: Ed25519PublicKey) -> str:
    """Return the name of a key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]
