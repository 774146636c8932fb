"""Secrets of a stack of containers: made once, kept, and consistent with what servers are told of them."""

import json
import os
import stat
from pathlib import Path

import pytest
from interlock_contracts.access import hash_of
from interlock_contracts.deployment import NAMES
from interlock_deployment.compose_secrets import UID, is_theirs, make_secrets, prepare
from interlock_deployment.errors import DeploymentError


def contents(where: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in where.iterdir()}


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    """It may be run before every start."""
    where = tmp_path / "secrets"
    make_secrets(where)
    before = contents(where)

    assert make_secrets(where) == []
    assert contents(where) == before


def test_files_are_for_the_containers_only(tmp_path: Path) -> None:
    """Nobody else reads them; only root can give them away."""
    where = tmp_path / "secrets"
    make_secrets(where)

    assert stat.S_IMODE(where.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in where.iterdir()} == {0o400}
    owner = UID if os.geteuid() == 0 else os.geteuid()
    assert {file.stat().st_uid for file in where.iterdir()} == {owner}
    assert is_theirs(where) == (owner == UID)


def test_what_is_one_s_own_stays_and_the_rest_follows(tmp_path: Path) -> None:
    """A key that was replaced is known to every service, and a password to the server that asks for it."""
    where = tmp_path / "secrets"
    make_secrets(where)
    ours = {
        "gateway_service_key": "ilk_" + "a" * 48,
        "registry_postgres_url": "postgresql://interlock_registry:a%2Fb@db.example.org/mlops",
        "registry_s3_secret_key": "from-the-store",
    }
    for name, value in ours.items():
        (where / name).unlink()
        (where / name).write_text(value)

    changed = make_secrets(where)

    assert sorted(changed) == ["gateway_otlp_headers", "key_hashes", "postgres_roles.json", "s3_identities.json"]
    after = contents(where)
    assert {name: after[name] for name in ours} == ours
    hashes = dict(pair.split("=") for pair in after["key_hashes"].split(","))
    assert hashes["service/gateway"] == hash_of(after["key_pepper"], ours["gateway_service_key"])
    assert json.loads(after["postgres_roles.json"])["registry"] == "a/b"
    identities = {each["name"]: each["credentials"] for each in json.loads(after["s3_identities.json"])["identities"]}
    assert identities["registry"][0]["secretKey"] == "from-the-store"


def test_every_service_has_a_key_of_its_own(tmp_path: Path) -> None:
    """No secret is the same as another."""
    where = tmp_path / "secrets"
    make_secrets(where)
    made = contents(where)
    keys = [made[f"{name}_service_key"] for name in NAMES]
    assert len({*keys}) == len(NAMES)
    assert len({*made.values()}) == len(made)


def test_half_a_pair_is_refused(tmp_path: Path) -> None:
    """A public key beside another private one would refuse every promotion."""
    where = tmp_path / "secrets"
    make_secrets(where)
    (where / "signing_public_key").unlink()
    with pytest.raises(DeploymentError, match="signing_public_key"):
        make_secrets(where)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    """Secrets beside nothing would be lost there."""
    with pytest.raises(DeploymentError, match=r"compose\.yaml"):
        prepare(tmp_path, tmp_path / "secrets")
    assert not (tmp_path / "secrets").exists()


def test_settings_of_one_s_own_stay(tmp_path: Path) -> None:
    """`.env` is the example's copy, until somebody changes it."""
    (tmp_path / "compose.yaml").touch()
    (tmp_path / ".env.example").write_text("#INTERLOCK_BIND=127.0.0.1\n")
    assert ".env" in prepare(tmp_path, tmp_path / "secrets")
    (tmp_path / ".env").write_text("INTERLOCK_BIND=10.0.0.1\n")

    assert prepare(tmp_path, tmp_path / "secrets") == []
    assert (tmp_path / ".env").read_text() == "INTERLOCK_BIND=10.0.0.1\n"
