"""What is installed alone works alone: two wheels and what they declare, in an environment with nothing else."""

import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
OURS = {"interlock-client": "libs/client", "interlock-contracts": "contracts"}

SCRIPT = """
import importlib.util
import interlock_client
from interlock_client import Client

installed = {"httpx", "pydantic", "yaml", "interlock_contracts", "interlock_client"}
others = {"pandas", "polars", "numpy", "pyarrow", "rich", "typer", "interlock_cli", "interlock_tables"}
assert {name for name in installed | others if importlib.util.find_spec(name)} == installed
assert "/.venv/" not in interlock_client.__file__

with Client("http://127.0.0.1:1", "a-key", retries=0) as client:
    for call, expected in (
        (client.models, "nothing answers at http://127.0.0.1:1"),
        (lambda: client.predict("m", [{"size": 1}]), "nothing answers"),
        (lambda: client.apply("pipeline.yaml"), "targte"),
        (lambda: client.wait("7", progress=True), "interlock-client[progress]"),
        (interlock_client.Views().to_pandas, "interlock-client[pandas]"),
        (interlock_client.Views().to_polars, "interlock-client[polars]"),
    ):
        try:
            call()
        except Exception as error:
            assert expected in str(error), error
        else:
            raise AssertionError(expected)
"""


def needed(site: Path) -> Iterator[Distribution]:
    """Yield what the wheels in ``site`` declare, and what that needs in turn, as it is locked and installed here."""
    ours = {each.name: each for each in distributions(path=[str(site)])}
    assert ours.keys() == OURS.keys()
    waiting, seen = [Requirement(name) for name in ours], set[str]()
    while waiting:
        wanted = waiting.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        found = ours.get(wanted.name) or distribution(wanted.name)
        if wanted.name not in ours:
            yield found
        for each in map(Requirement, found.requires or ()):
            if each.marker is None or any(each.marker.evaluate({"extra": name}) for name in {"", *wanted.extras}):
                each.marker = None
                waiting.append(each)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment with the wheels, unpacked as installers do, and what they declare."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder / "venv", symlinks=True)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    for package in OURS.values():
        building = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
        subprocess.run(building, cwd=ROOT / package, check=True, capture_output=True)
    for wheel in (folder / "dist").glob("*.whl"):
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(site)
    for top in {(each, file.parts[0]) for each in needed(site) for file in each.files or ()}:
        _link(*top, site)
    return folder / "venv" / "bin" / "python"


def _link(of: Distribution, top: str, site: Path) -> None:
    link = site / top
    if top not in {"..", "__pycache__"} and not link.exists():
        link.symlink_to(Path(str(of.locate_file(top))))


def test_client_and_contracts_need_nothing_else(alone: Path, tmp_path: Path) -> None:
    """Neither the rest of Interlock nor pandas: both are told by name where somebody asks for them."""
    (tmp_path / "pipeline.yaml").write_text("name: m\ntargte: price\n")
    done = subprocess.run([alone, "-I", "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_the_wheel_says_that_it_is_typed(alone: Path) -> None:
    """Or type checkers of its users would not look into it."""
    (site,) = alone.parents[1].glob("lib/python*/site-packages")
    assert (site / "interlock_client" / "py.typed").exists()
    assert (site / "interlock_contracts" / "py.typed").exists()
