"""Every package says what it owns, consumes and publishes, how it fails, and where to start reading."""

import re
from pathlib import Path

import pytest
from interlock_contracts.catalog import BY_TYPE, OBSERVER, ROUTES

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path.parent for path in [*ROOT.glob("contracts/pyproject.toml"), *ROOT.glob("*/*/pyproject.toml")])
SERVICES = [package for package in PACKAGES if package.parent.name == "services"]
PARTS = ["Owns", "Consumes", "Publishes", "Fails how", "Start reading at"]


def parts(package: Path) -> dict[str, str]:
    """Return the parts of a package's README by their names, in the order in which they stand there."""
    _, *found = re.split(r"^\*\*([A-Z][a-z ]+)\.?\*\*", (package / "README.md").read_text(), flags=re.MULTILINE)
    return dict(zip(found[::2], found[1::2], strict=True))


def named(text: str) -> set[str]:
    """Return the event types that a text names."""
    return {each for each in re.findall(r"`([\w.]+)`", text) if each in BY_TYPE}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_package_has_a_readme_that_fits_on_a_screen(package: Path) -> None:
    """Whoever opens a folder knows in a minute what it is for."""
    assert 15 <= len((package / "README.md").read_text().splitlines()) <= 30
    assert list(parts(package)) == PARTS


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_a_service_names_its_events_as_the_catalog_does(service: Path) -> None:
    """All that it consumes and publishes, and nothing else; the observer of everything names none."""
    text, name = parts(service), service.name
    consumed = {each.event.type for each in ROUTES if name in (*each.consumers, *each.per_worker)}

    assert named(text["Consumes"]) == consumed
    assert named(text["Publishes"]) == {each.event.type for each in ROUTES if name in each.producers}
    assert (name == OBSERVER) == ("Every event type" in text["Consumes"])
