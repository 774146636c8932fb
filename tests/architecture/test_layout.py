"""A test stands where the code stands that it tests."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
PACKAGES = {path.parent.name: path.parent for path in TESTS.glob("*/__init__.py")} | {
    path.parent.name.removeprefix("interlock_"): path.parent
    for pattern in ("contracts/interlock_*/__init__.py", "*/*/interlock_*/__init__.py")
    for path in ROOT.glob(pattern)
}
"""Where the code of a package stands, by the name that its tests' folder has; tests test each other, too."""


def code_of(folder: Path) -> Path:
    """Return the folder of code that a folder of tests is for.

    Raises:
        KeyError: it is in no package's folder.
    """
    package, *inside = folder.relative_to(TESTS).parts[1:]
    return PACKAGES[package].joinpath(*inside)


@pytest.mark.parametrize("kind", ["unit", "integration"])
def test_a_folder_of_tests_is_named_for_a_folder_of_code(kind: str) -> None:
    """For a package, or a folder inside of one: what moves takes its tests along."""
    folders = {path.parent for path in (TESTS / kind).rglob("*.py")} - {TESTS / kind}
    assert len(folders) > 10
    assert not list((TESTS / kind).glob("test_*.py")), "a test stands in a folder; the Makefile runs those"
    assert not [str(folder) for folder in sorted(folders) if not (code_of(folder) / "__init__.py").exists()]


def test_a_unit_test_named_for_a_module_stands_in_its_folder() -> None:
    """Whoever reads a module finds its tests by its path; a test of a behaviour has a name that no module has."""
    astray = []
    for path in sorted((TESTS / "unit").rglob("test_*.py")):
        package = PACKAGES[path.relative_to(TESTS).parts[1]]
        homes = [each.parent for each in package.rglob(f"{path.stem.removeprefix('test_')}.py")]
        if homes and code_of(path.parent) not in homes:
            astray.append(str(path.relative_to(ROOT)))
    assert not astray
