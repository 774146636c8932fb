"""Every compose file is one by the specification's schema, and they fit together."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.environments import CHECKOUT

COMPOSE = CHECKOUT / "compose"
FILES = sorted(COMPOSE.glob("compose*.yaml"))


def checked(programs: Path, file: Path) -> subprocess.CompletedProcess[str]:
    command = [str(programs / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_a_file_is_a_compose_file(programs: Path, file: Path) -> None:
    """By the schema of the compose specification."""
    done = checked(programs, file)
    assert done.returncode == 0, done.stdout


def test_the_schema_finds_typing_mistakes(programs: Path, tmp_path: Path) -> None:
    """A key that is none would be ignored, and the container would run with more rights than it seems."""
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((COMPOSE / "compose.yaml").read_text().replace("read_only:", "read_onyl:"))
    done = checked(programs, wrong)
    assert done.returncode == 1
    assert "read_onyl" in done.stdout


@pytest.mark.parametrize("name", ["compose.observability.yaml", "compose.tls.yaml"])
def test_an_overlay_fits_on_the_stack(programs: Path, name: str) -> None:
    """What it names of the stack exists there, and podman-compose makes one document of both."""
    words = ["--file", str(COMPOSE / "compose.yaml"), "--file", str(COMPOSE / name), "config"]
    done = subprocess.run([str(programs / "podman-compose"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    both = yaml.safe_load(done.stdout)

    own = yaml.safe_load((COMPOSE / name).read_text())
    for service in own["services"]:
        merged = both["services"][service]
        assert {*merged.get("networks", ())} <= both["networks"].keys()
        mounted = [each for each in merged["volumes"] if isinstance(each, str)]
        for source, target in (each.split(":")[:2] for each in mounted):
            assert source in both["volumes"] or (COMPOSE / source).exists(), target
    volumes = both["services"]["volumes"]["volumes"]
    assert {f"{name}:/volumes/{name}" for name in both["volumes"]} == {*volumes}
