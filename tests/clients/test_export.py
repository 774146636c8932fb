"""`interlock export` from a real registry, verified with the OpenSSF's own command in an environment of its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from interlock_artifacts import MemoryStore
from interlock_contracts.signature import PromotionSignature

from tests.clients.environments import make_ready, ran_by
from tests.clients.registries import Exports, exporting
from tests.support.signing import TRUST
from tests.support.stored_models import put_model

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
async def exports(servers: dict[str, str]) -> AsyncIterator[Exports]:
    """Return a model with version 1 promoted and version 2 not."""
    artifacts = MemoryStore()
    versions = [put_model(artifacts, number).artifact for number in (1, 2)]
    async with exporting(servers, artifacts, versions, promoted=1) as exports:
        yield exports


def verified(folder: Path, key: Path | None = None) -> tuple[bool, str]:
    """Return whether the OpenSSF's command finds the folder to be what was signed, and what it says."""
    given = ["--signature", str(folder / "model.sig"), "--public_key", str(key or folder / "export-key.pem")]
    done = ran_by("model_signing", "model_signing", "verify", "key", str(folder / "model"), *given)
    return done.returncode == 0, done.stdout + done.stderr


async def test_an_exported_version_is_verified_by_the_openssfs_command(exports: Exports, tmp_path: Path) -> None:
    """As it was written; and not once a file is changed, added or missing, or the key is another."""
    folder = tmp_path / "export"
    done = await asyncio.to_thread(exports.export, "1", "--to", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    await asyncio.to_thread(make_ready, "model_signing")
    check = asyncio.to_thread

    assert (await check(verified, folder))[0], await check(verified, folder)
    other = tmp_path / "other.pem"
    stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
    other.write_bytes(stranger.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert not (await check(verified, folder, other))[0]
    engine, more = folder / "model" / "engine", folder / "model" / "more"
    data = engine.read_bytes()
    engine.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert not (await check(verified, folder))[0]
    engine.write_bytes(data)
    more.write_bytes(b"x")
    assert not (await check(verified, folder))[0]
    more.unlink()
    (folder / "model" / "promotion.json").unlink()
    assert not (await check(verified, folder))[0]


async def test_an_export_holds_the_registrys_own_signature_of_the_promotion(exports: Exports, tmp_path: Path) -> None:
    """So it also says under which number, by what cause and with which metrics the version was promoted."""
    folder = tmp_path / "export"
    await asyncio.to_thread(exports.export, "1", "--to", str(folder))
    signed = PromotionSignature.model_validate(json.loads((folder / "model" / "promotion.json").read_text()))
    stated = TRUST.verify(signed)

    assert (stated.model, stated.version, stated.promotion_seq) == (exports.model, 1, 1)


async def test_what_was_never_promoted_is_not_exported(exports: Exports, tmp_path: Path) -> None:
    """Nobody has signed for it; and a folder that is there is not written over."""
    folder = tmp_path / "export"
    done = await asyncio.to_thread(exports.export, "2", "--to", str(folder))
    assert done.returncode != 0
    assert "was never promoted" in done.stdout + done.stderr
    assert not folder.exists()

    folder.mkdir()
    done = await asyncio.to_thread(exports.export, "1", "--to", str(folder))
    assert "already exists" in done.stdout + done.stderr
