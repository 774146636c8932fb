"""`interlock images`: what is printed, and what is done where the engine, the image or the checkout is another."""

import json
from pathlib import Path

import pytest
from interlock_deployment.images import VERSION

from tests.unit.cli.conftest import interlock

DIGEST = "sha256:" + "7" * 64


def test_pushing_prints_each_image_by_its_digest(answers: Path) -> None:
    """It goes into the values file of a deployment, by `interlock deploy set-image`."""
    (answers / "image").write_text(json.dumps([f"registry.example.com/team/light@{DIGEST}"]))

    ended = interlock("images", "push", "registry.example.com/team/", "light", "--json")

    assert ended.code == 0
    assert ended.json == {f"localhost/interlock/light:{VERSION}": f"registry.example.com/team/light@{DIGEST}"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["build", "modle"], "there is no image 'modle'\nnext:  one of light, model, trainer\n"),
        (
            ["push", "registry.example.com/team", "modle"],
            "there is no image 'modle'\nnext:  one of light, model, trainer\n",
        ),
        (["build", "--engine", "lxc"], "'lxc' is no container engine that is known here\nnext:  docker or podman\n"),
    ],
    ids=["image", "image-to-push", "engine"],
)
@pytest.mark.usefixtures("answers")
def test_a_misspelt_name_is_refused_with_those_there_are(arguments: list[str], said: str) -> None:
    """Before anything is fetched or built."""
    ended = interlock("images", *arguments)

    assert (ended.code, ended.out, ended.err) == (1, "", f"error: {said}")


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize("command", [("images", "build"), ("deploy", "bundle")], ids=["images", "bundle"])
def test_outside_of_a_checkout_it_says_so(tmp_path: Path, command: tuple[str, ...]) -> None:
    """An image is made of sources, which an installed command does not have."""
    ended = interlock(*command, "--checkout", tmp_path)

    assert ended.code == 1
    assert ended.err == f"error: {tmp_path} is no checkout of Interlock: it has no requirements.lock\n"


def test_without_an_engine_it_says_what_to_install(answers: Path) -> None:
    """Docker's command alone is no engine."""
    (answers / "info.status").write_text("1")

    ended = interlock("images", "push", "registry.example.com/team")

    assert ended.code == 1
    assert ended.err.splitlines()[0] == "error: neither Docker nor Podman works here"
