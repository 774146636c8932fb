import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from interlock_deployment import wheelhouse
from interlock_deployment.bundle import bundle
from interlock_deployment.errors import DeploymentError

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one wheel of others and one of ours, in place of all that would be fetched and built."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    theirs, ours = folder / "theirs-1-py3-none-any.whl", folder / "interlock_ours-1-py3-none-any.whl"
    theirs.write_bytes(b"theirs")
    ours.write_bytes(b"ours")

    def fetch(locked: Sequence[object], *_: object) -> list[Path]:
        assert locked
        return [theirs]

    monkeypatch.setattr(wheelhouse, "fetch", fetch)
    monkeypatch.setattr(wheelhouse, "build", lambda *_: [ours])
    return folder


def test_a_bundle_has_wheels_and_their_hashes(wheels: Path, tmp_path: Path) -> None:  # noqa: ARG001
    """What is installed on a machine is in one file, and what may be installed beside it."""
    said: list[object] = []
    (file,) = bundle(CHECKOUT, tmp_path / "bundles", ["light"], said.append)
    with tarfile.open(file) as archive:
        assert archive.getnames() == [
            "requirements.lock",
            "wheels/theirs-1-py3-none-any.whl",
            "own/interlock_ours-1-py3-none-any.whl",
        ]
        lock = archive.extractfile("requirements.lock")
        assert lock is not None
        assert all("--hash=sha256:" in line for line in lock.read().decode().splitlines())
    assert (tmp_path / "bundles" / "light.digest").read_text().strip() == wheelhouse.sha256(file)[:12]
    assert len(said) == 1


def test_the_same_wheels_give_the_same_bundle(wheels: Path, tmp_path: Path) -> None:
    """Only then is a machine left alone that has it; another wheel is another bundle."""

    def digest() -> str:
        (file,) = bundle(CHECKOUT, tmp_path / "bundles", ["light"], print)
        return wheelhouse.sha256(file)

    first = digest()
    ours = wheels / "interlock_ours-1-py3-none-any.whl"
    os.utime(ours, (1, 1))
    assert digest() == first
    ours.write_bytes(b"changed")
    assert digest() != first


def test_an_unknown_bundle_is_refused(tmp_path: Path) -> None:
    """The answer names what there is."""
    with pytest.raises(DeploymentError, match="lihgt") as refused:
        bundle(CHECKOUT, tmp_path, ["lihgt"], print)
    assert refused.value.hint == "one of light, model, trainer"
