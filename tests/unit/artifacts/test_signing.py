"""Promotion signatures: a promotion is trusted as the registry signed it, or not at all."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from interlock_artifacts.signing import SignatureVerifier, Signer, UntrustedPromotionError
from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_contracts.signature import PromotionSignature, PromotionStatement, envelope

from tests.support.signing import PRIVATE, PUBLIC, SIGNER, STRANGER, TRUST, key_pair, signed, statement

REF = ModelRef(
    model="flights",
    version=3,
    artifact=ArtifactRef(sha256="a" * 64, bytes=1),
    manifest=ArtifactRef(sha256="b" * 64, bytes=1),
)
OTHER = ArtifactRef(sha256="c" * 64, bytes=1)
SEQ = 7


def changed(**fields: object) -> ModelRef:
    return REF.model_copy(update=fields)


def of(text: str) -> PromotionSignature:
    """Return the registry's own signature of any text."""
    return PromotionSignature.of(
        SIGNER.key_id, text, SIGNER.key.sign(PromotionSignature.of(SIGNER.key_id, text, b"").signed)
    )


def test_a_signature_of_the_registry_is_verified_after_any_journey() -> None:
    """As JSON in an event, in the registry's answer or in the ledger."""
    journeyed = PromotionSignature.model_validate_json(signed(REF, SEQ).model_dump_json())

    TRUST.check(REF, SEQ, journeyed)
    assert TRUST.verify(journeyed) == statement(REF, SEQ)


@pytest.mark.parametrize(
    ("ref", "seq", "told"),
    [
        (changed(model="other"), SEQ, "another model"),
        (changed(version=4), SEQ, "another version"),
        (changed(artifact=OTHER), SEQ, "another artifact"),
        (changed(manifest=OTHER), SEQ, "another manifest"),
        (REF, SEQ + 1, "another promotion_seq"),
        (changed(version=4, artifact=OTHER), SEQ, "another version and another artifact"),
    ],
)
def test_a_signature_of_another_promotion_is_refused(ref: ModelRef, seq: int, told: str) -> None:
    """A true signature beside other bytes, or under another number, proves nothing; the error names what differs."""
    with pytest.raises(UntrustedPromotionError, match=told):
        TRUST.check(ref, seq, signed(REF, SEQ))


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (lambda _: None, "it is not signed"),
        (lambda _: signed(REF, SEQ, STRANGER), f"unknown key {STRANGER.key_id}"),
        (lambda true: true.model_copy(update={"key_id": STRANGER.key_id}), "unknown key"),
        (lambda _: signed(REF, SEQ, STRANGER).model_copy(update={"key_id": SIGNER.key_id}), "signature is wrong"),
        (lambda true: true.model_copy(update={"signature": true.signature[:-1]}), "signature is wrong"),
        (
            lambda true: true.model_copy(update={"statement": true.statement.replace("0.5", "0.9")}),
            "signature is wrong",
        ),
        (lambda true: true.model_copy(update={"statement": true.statement + " "}), "signature is wrong"),
        (lambda _: of("{}"), "no statement"),
        (lambda _: of("not JSON"), "no statement"),
    ],
)
def test_a_forged_signature_is_refused(
    forge: Callable[[PromotionSignature], PromotionSignature | None], told: str
) -> None:
    """Missing, by an unknown key, under another key's id, cut, or beside a changed text."""
    with pytest.raises(UntrustedPromotionError, match=told):
        TRUST.check(REF, SEQ, forge(signed(REF, SEQ)))


def test_a_signature_of_something_else_is_none_of_a_promotion() -> None:
    """The type is signed along: what the same key signs for another purpose cannot be passed off as a promotion."""
    text = statement(REF, SEQ).canonical()
    other = SIGNER.key.sign(envelope("application/vnd.in-toto+json", text.encode()))

    with pytest.raises(UntrustedPromotionError, match="signature is wrong"):
        TRUST.check(REF, SEQ, PromotionSignature.of(SIGNER.key_id, text, other))


def test_a_key_is_changed_without_a_gap() -> None:
    """Both keys count while one takes over from the other; once the old one is gone, so are its signatures."""
    private, public = key_pair(b"\3" * 32)
    both, new = SignatureVerifier(PUBLIC + public), SignatureVerifier(public)

    for signer in (SIGNER, Signer(private)):
        both.check(REF, SEQ, signed(REF, SEQ, signer))
    with pytest.raises(UntrustedPromotionError, match="unknown key"):
        new.check(REF, SEQ, signed(REF, SEQ))


def test_a_newer_registry_may_state_more_than_a_reader_knows() -> None:
    """The text itself is signed, so a field that is new to the reader breaks nothing."""
    more = of(statement(REF, SEQ).canonical()[:-1] + ',"commit":"abc"}')

    TRUST.check(REF, SEQ, more)


def test_one_statement_is_one_text() -> None:
    """Whatever the order in which its parts were given."""
    fields = statement(REF, SEQ).model_dump()
    fields["metrics"] = {"rmse": 2.0, "r2": 0.5}
    turned = dict(reversed(fields.items())) | {"metrics": {"r2": 0.5, "rmse": 2.0}}

    assert PromotionStatement(**fields).canonical() == PromotionStatement(**turned).canonical()


@pytest.mark.parametrize(
    "pems",
    [
        "",
        PRIVATE,
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    ],
    ids=["nothing", "a private key", "another kind of key"],
)
def test_what_is_no_public_key_is_refused_at_the_start(pems: str) -> None:
    """A gateway that could verify nothing, or would trust anything, does not start."""
    with pytest.raises(ValueError, match=r"INTERLOCK_SIGNING_PUBLIC_KEY|PEM|key"):
        SignatureVerifier(pems)


def test_a_registry_whose_signatures_cannot_be_verified_does_not_start() -> None:
    """The two settings must belong together."""
    with pytest.raises(ValueError, match="does not hold the public key"):
        TRUST.require_key_of(STRANGER)
