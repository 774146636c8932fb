import json
from pathlib import Path
from typing import Any

import pytest
from interlock_deployment import images, wheelhouse
from interlock_deployment.engine import Engine
from interlock_deployment.errors import DeploymentError
from interlock_deployment.images import Build, bill_of_materials, build, push
from interlock_deployment.targets import Locked, Target
from packaging.utils import canonicalize_name

DIGEST = "sha256:" + "5" * 64


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Return how a small checkout is built, whose wheels are there already."""
    checkout = tmp_path / "checkout"
    for file in (
        "compose/Dockerfile",
        "services/registry/main.py",
        ".interlock/images/wheels/orjson-3.11.0-py3-none-any.whl",
    ):
        (checkout / file).parent.mkdir(parents=True, exist_ok=True)
        (checkout / file).write_text(file)
    own = checkout / ".interlock/images/light/interlock_registry-0.1.0-py3-none-any.whl"
    own.parent.mkdir()
    own.write_text("own")
    monkeypatch.setattr(wheelhouse, "build", lambda *_: [own])
    return Build(checkout, base="debian", tag="1.2")


@pytest.fixture
def target(plan: Build) -> Target:
    wheel = next(plan.wheels.iterdir())
    return Target(
        "light",
        (plan.checkout / "services/registry",),
        (Locked(canonicalize_name("orjson"), "3.11.0", frozenset({wheelhouse.sha256(wheel)})),),
    )


def calls(answers: Path) -> list[list[str]]:
    return [json.loads(line) for line in (answers / "calls").read_text().splitlines()]


def test_an_image_is_built_without_a_network_and_with_labels(
    answers: Path, engine: Engine, plan: Build, target: Target
) -> None:
    """What an administrator checks first, asked of the very command line."""
    (answers / "size").write_text("123456\n")
    said: list[str] = []

    image = build(engine, plan, target, said.append)

    assert (image.name, image.size, image.built) == ("localhost/interlock/light:1.2", 123456, True)
    options = next(each for each in calls(answers) if each[0] == "build")
    assert {"--network=none", "--pull=never", "--target=light", "--build-arg=BASE=debian"} <= set(options)
    labels = dict(each.removeprefix("--label=").split("=", 1) for each in options if each.startswith("--label="))
    assert labels["org.opencontainers.image.title"] == "interlock-light"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert len(labels[images.INPUTS]) == 64
    assert said == ["building localhost/interlock/light:1.2 on debian"]


def test_an_image_of_the_same_inputs_is_not_built_again(
    answers: Path, engine: Engine, plan: Build, target: Target
) -> None:
    """A build takes minutes; the label tells what the image was made of."""
    (answers / "image").write_text(images._inputs(plan, target) + "\n")
    (answers / "size").write_text("123456\n")

    image = build(engine, plan, target, print)

    assert not image.built
    assert not [each for each in calls(answers) if each[0] == "build"]


@pytest.mark.parametrize("change", ["source", "new file", "Dockerfile", "lock", "base"])
def test_whatever_goes_into_an_image_changes_its_inputs(plan: Build, target: Target, change: str) -> None:
    """An input that is forgotten would leave an old image in place."""
    before = images._inputs(plan, target)
    others: dict[str, Any] = {"lock": Target("light", target.packages, ()), "base": Build(plan.checkout, base="other")}
    files = {
        "source": "services/registry/main.py",
        "new file": "services/registry/new.sql",
        "Dockerfile": "compose/Dockerfile",
    }
    if change in files:
        (plan.checkout / files[change]).write_text("changed")

    after = images._inputs(
        others.get(change, plan) if change == "base" else plan,
        others.get("lock", target) if change == "lock" else target,
    )

    assert after != before


def test_byte_code_is_no_input(plan: Build, target: Target) -> None:
    """Running a test would otherwise rebuild every image."""
    before = images._inputs(plan, target)
    cache = plan.checkout / "services/registry/__pycache__/main.cpython-311.pyc"
    cache.parent.mkdir()
    cache.write_text("compiled")

    assert images._inputs(plan, target) == before


def test_the_bill_of_materials_names_wheels_with_hashes_and_the_systems_packages(
    answers: Path, engine: Engine, plan: Build, target: Target
) -> None:
    """A scanner finds a package by its purl, and a file by its hash."""
    (answers / "run").write_text("libc6 2.36-9\nzlib1g 1:1.2.13\n")

    bill = json.loads(bill_of_materials(engine, plan, target, print).read_text())

    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "localhost/interlock/light"
    components = {each["name"]: each for each in bill["components"]}
    assert set(components) == {"orjson", "interlock-registry", "libc6", "zlib1g"}
    assert components["orjson"]["purl"] == "pkg:pypi/orjson@3.11.0"
    assert components["orjson"]["hashes"] == [{"alg": "SHA-256", "content": next(iter(target.locked[0].hashes))}]
    assert components["libc6"]["purl"] == "pkg:deb/debian/libc6@2.36-9"


def test_the_checkouts_own_wheels_are_built_once(
    answers: Path, engine: Engine, plan: Build, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For an image and its bill of materials, which names what is in it; anew once a file has changed."""
    (answers / "size").write_text("1\n")
    (answers / "run").write_text("libc6 2.36-9\n")
    made: list[Path] = []
    monkeypatch.setattr(wheelhouse, "build", lambda _, folder: made.append(folder))
    build(engine, plan, target, print)
    bill_of_materials(engine, plan, target, print)
    assert made == [plan.folder / "light"]

    (plan.checkout / "services/registry/main.py").write_text("changed")
    bill_of_materials(engine, plan, target, print)
    assert made == [plan.folder / "light"] * 2


def test_a_pushed_image_is_named_by_its_digest(answers: Path, engine: Engine) -> None:
    """The name is for deployment files; the engine knows digests of other registries, too."""
    (answers / "image").write_text(
        json.dumps(["elsewhere/light@sha256:" + "4" * 64, f"registry.example.com/team/light@{DIGEST}"])
    )

    name = push(engine, "localhost/interlock/light:1.2", "registry.example.com/team", plain_http=True)

    assert name == f"registry.example.com/team/light@{DIGEST}"
    assert ["push", "--tls-verify=false", "registry.example.com/team/light:1.2"] in calls(answers)


def test_an_image_that_is_not_here_cannot_be_pushed(answers: Path, engine: Engine) -> None:
    """The engine would say "image not known", and not how it is made."""
    (answers / "image.status").write_text("1")

    with pytest.raises(DeploymentError, match=r"there is no image localhost/interlock/light:1\.2 here") as refused:
        push(engine, "localhost/interlock/light:1.2", "registry.example.com/team")
    assert refused.value.hint == "interlock images build"


def test_a_wheel_of_another_hash_is_never_taken(plan: Build, target: Target) -> None:
    """Whoever can write to the folder of wheels gets nothing into an image."""
    next(plan.wheels.iterdir()).write_text("another program")

    with pytest.raises(DeploymentError, match="pip download failed"):
        wheelhouse.fetch(target.locked, plan.wheels, print)
