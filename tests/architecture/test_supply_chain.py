"""What we depend on: locked with hashes, from nowhere by name, under licences that go with ours."""

import json
import re
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted([*ROOT.glob("*.lock"), *ROOT.glob("tests/clients/*/*.lock")])
FREE = re.compile(
    r"\b(MIT|MIT-0|MIT-CMU|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|Zlib|Unlicense|CC0|MPL|Mozilla Public)\b",
    re.IGNORECASE,
)
"""Permissive, or (MPL) copyleft for its own files only, which we do not change."""

BARRED = re.compile(r"\b(A?GPL|LGPL|General Public|Elastic|SSPL|BUSL|Commons Clause)\b", re.IGNORECASE)


def licence(of: Distribution) -> str:
    """Return what a package says of its licence."""
    about = of.metadata
    classified = [each.split("::")[-1] for each in about.get_all("Classifier", []) if each.startswith("License ::")]
    words = about.json
    return str(words.get("license_expression") or "; ".join(classified) or words.get("license", ""))[:100]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_every_locked_version_has_its_hashes(lock: Path) -> None:
    """A package that was replaced where it comes from is not installed; and no lock says where that is."""
    text = lock.read_text()
    packages = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert packages
    for package in packages:
        assert re.match(r"[A-Za-z0-9._-]+(\[[^]]+])?==\S+", package), package[:80]
        assert "--hash=sha256:" in package, package[:80]
    assert not re.search(r"https?://|--index-url|--extra-index|--find-links", text)


@pytest.mark.parametrize(
    "lock", sorted(ROOT.glob("tests/clients/*/package-lock.json")), ids=lambda lock: lock.parent.name
)
def test_every_locked_npm_package_has_its_hash(lock: Path) -> None:
    """Under a licence that goes with ours, and from nowhere by name."""
    packages = json.loads(lock.read_text())["packages"]
    needed = {name: each for name, each in packages.items() if name}
    assert needed
    for name, each in needed.items():
        assert each["integrity"].startswith("sha512-"), name
        assert "resolved" not in each, name
        assert FREE.search(each["license"]), name


def test_what_is_installed_is_what_is_locked() -> None:
    """Nothing slips in beside the lock."""
    locked = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    known = {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in locked}
    for each in distributions():
        name = re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower()
        if not name.startswith("interlock"):
            assert (name, each.version) in known, f"{name} {each.version} is not locked"


def test_licences_go_with_ours() -> None:
    """Read from what is installed, tools and tests included; a package without a word is looked at by a person."""
    said = {each.metadata["Name"]: licence(each) for each in distributions()}
    wrong = {name: text for name, text in said.items() if not FREE.search(text) or BARRED.search(text)}
    assert not wrong
