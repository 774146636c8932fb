"""A promoted version as plain files that anybody can verify, with the `model_signing` command of the OpenSSF.

That command knows elliptic curves of NIST, and no Ed25519. So an export is signed by a P-256 key that follows from the
registry's own: there is one secret to keep and to change. The promotion's Ed25519 signature is one of the files.
"""

import asyncio
import base64
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from interlock_artifacts import ArtifactStore
from interlock_artifacts.signing import Signer
from interlock_contracts.http import ExportedFile, ExportView
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.signature import PromotionSignature, envelope
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from interlock_registry import store
from interlock_registry.models import existing_version
from interlock_registry.promotion import ref_of
from interlock_registry.store import VersionRow

DESCRIPTION, ENGINE, MANIFEST, PROMOTION = "model.json", "engine", "manifest.json", "promotion.json"

IN_TOTO = "application/vnd.in-toto+json"
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CHUNK = 1 << 20


@get("/models/{name:str}/versions/{number:int}/export", opt={SCOPE: "read"})
async def export_version(
    name: FromPath[str],
    number: FromPath[int],
    database: NamedDependency[Database],
    artifacts: NamedDependency[ArtifactStore],
    signer: NamedDependency[Signer],
) -> ExportView:
    """Return what a promoted version consists of, and a signature over all of it."""
    version, signed = await _promoted(name, number, database)
    promotion = signed.model_dump_json()
    refs = await asyncio.to_thread(parts, version, artifacts)
    digests = {part: ref.sha256 for part, ref in refs.items()}
    digests[PROMOTION] = hashlib.sha256(promotion.encode()).hexdigest()
    key = export_key(signer)
    return ExportView(
        model=name,
        version=number,
        files=[ExportedFile(name=part, sha256=ref.sha256, bytes=ref.bytes) for part, ref in refs.items()],
        promotion=promotion,
        bundle=bundle(name, digests, key),
        public_key=_pem(key),
    )


@get(
    "/models/{name:str}/versions/{number:int}/export/{part:str}",
    media_type="application/octet-stream",
    opt={SCOPE: "read"},
)
async def export_file(
    name: FromPath[str],
    number: FromPath[int],
    part: FromPath[str],
    database: NamedDependency[Database],
    artifacts: NamedDependency[ArtifactStore],
) -> Stream:
    """Return one file of a promoted version, as it is stored."""
    version, _ = await _promoted(name, number, database)
    refs = await asyncio.to_thread(parts, version, artifacts)
    if part not in refs:
        raise problem(404, "Unknown file", f"a version consists of {', '.join(refs)}")
    return Stream(_pieces(artifacts, refs[part]), media_type="application/octet-stream")


async def _promoted(name: str, number: int, database: Database) -> tuple[VersionRow, PromotionSignature]:
    async with database.sessions() as session:
        version = await existing_version(session, name, number)
        promoted = await store.last_promotion_of(session, name, number)
    if promoted is None or promoted.signed is None:
        raise problem(409, "Nothing is signed", f"version {number} was never promoted, so it has no signature")
    return version, PromotionSignature.model_validate(promoted.signed)


def parts(version: VersionRow, artifacts: ArtifactStore) -> dict[str, ArtifactRef]:
    """Return the stored files of a version by the names that they have in an export; blocks."""
    ref = ref_of(version)
    engine = json.loads(artifacts.fetch(ref.artifact))["engine"]["ref"]
    return {DESCRIPTION: ref.artifact, ENGINE: ArtifactRef.model_validate(engine), MANIFEST: ref.manifest}


async def _pieces(artifacts: ArtifactStore, ref: ArtifactRef) -> AsyncIterator[bytes]:
    """Yield the bytes of an object; verified as a whole before the first of them."""
    with tempfile.TemporaryDirectory(prefix="interlock-export-") as folder:
        path = Path(folder) / "part"
        await asyncio.to_thread(artifacts.fetch_file, ref, path)
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, _CHUNK):
                yield piece


def export_key(signer: Signer) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key that follows from the registry's own (HKDF, RFC 5869)."""
    derived = HKDF(SHA256(), length=48, salt=None, info=b"interlock export P-256").derive(
        signer.key.private_bytes_raw()
    )
    return ec.derive_private_key(int.from_bytes(derived) % (_ORDER - 1) + 1, ec.SECP256R1())


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def bundle(model: str, digests: Mapping[str, str], key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """Return the signature of a folder as a Sigstore bundle: DSSE around an in-toto statement.

    ``digests`` are the SHA-256 of its files by name. Form: https://model_signing/signature/v1.0, as
    OpenSSF model signing 1.1 writes it.
    """
    names = sorted(digests)
    root = hashlib.sha256(b"".join(bytes.fromhex(digests[name]) for name in names)).hexdigest()
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": model, "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [],
            },
            "resources": [{"name": name, "algorithm": "sha256", "digest": digests[name]} for name in names],
        },
    }
    payload = json.dumps(statement).encode()
    signature = key.sign(envelope(IN_TOTO, payload), ec.ECDSA(SHA256()))
    return {
        "mediaType": _BUNDLE,
        "verificationMaterial": {
            "publicKey": {"hint": hashlib.sha256(_pem(key).encode()).hexdigest()},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": IN_TOTO,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }


ROUTES = [export_version, export_file]
