from importlib import metadata
from pathlib import Path

import pytest
from interlock_contracts.deployment import SERVICES
from interlock_deployment.errors import DeploymentError
from interlock_deployment.targets import Target, chosen, read_lock, select
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]

LOCK = """\
# comment
Plain.Name==1.0 \\
    --hash=sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa \\
    --hash=sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
forwindows==2.0 ; sys_platform == 'win32' \\
    --hash=sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
fornewer==3.0 ; python_full_version >= '3.12' \\
    --hash=sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
forlinux==4.0 ; sys_platform == 'linux' \\
    --hash=sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee
"""


@pytest.fixture(scope="module")
def images() -> dict[str, Target]:
    return {each.name: each for each in select(ROOT)}


def names(target: Target) -> set[str]:
    return {each.name for each in target.locked}


def test_of_a_lock_only_what_the_images_platform_needs_is_taken(tmp_path: Path) -> None:
    """The lock is for every platform; the images are Linux with Python 3.11, wherever they are built."""
    (tmp_path / "requirements.lock").write_text(LOCK)

    lock = read_lock(tmp_path / "requirements.lock")

    assert sorted(lock) == ["forlinux", "plain-name"]
    package = lock[canonicalize_name("plain-name")]
    assert package.version == "1.0"
    assert package.hashes == {"a" * 64, "b" * 64}
    assert str(package) == f"plain-name==1.0 --hash=sha256:{'a' * 64} --hash=sha256:{'b' * 64}"


def test_every_service_is_in_the_image_of_its_row(images: dict[str, Target]) -> None:
    """The table of the deployment says which; compose and chart take that image."""
    for each in SERVICES:
        assert ROOT / "services" / each.name in images[each.image].packages


def test_heavy_packages_are_only_where_they_are_needed(images: dict[str, Target]) -> None:
    """A light image with NumPy, or any image with a compiler or with what only development needs, is a mistake."""
    assert not names(images["light"]) & {"numpy", "pyarrow", "onnxruntime", "ray"}
    assert names(images["model"]) >= {"numpy", "pyarrow", "onnxruntime"}
    assert not names(images["model"]) & {"ray", "scikit-learn", "xgboost-cpu"}
    assert names(images["trainer"]) >= {"ray", "scikit-learn", "xgboost-cpu", "optuna"}
    for each in images.values():
        assert "pip" in names(each)
        assert not names(each) & {"pytest", "mypy", "ziglang", "numba", "llvmlite", "hatchling"}


def test_an_image_has_all_that_its_packages_need(images: dict[str, Target]) -> None:
    """What a build would only notice after minutes: a package whose own needs were not followed."""
    for image in images.values():
        for package in names(image):
            needed = [Requirement(line) for line in metadata.requires(package) or []]
            assert {canonicalize_name(each.name) for each in needed if each.marker is None} <= names(image)


def test_an_image_of_another_name_is_refused() -> None:
    """With the names that there are."""
    with pytest.raises(DeploymentError, match="there is no image 'modle'") as refused:
        chosen(["light", "modle"])

    assert refused.value.hint == "one of light, model, trainer"


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    """The command may be run anywhere."""
    with pytest.raises(DeploymentError, match=r"is no checkout of Interlock: it has no requirements\.lock"):
        select(tmp_path)


def test_a_package_that_the_lock_lacks_is_named(tmp_path: Path) -> None:
    """A dependency was added and `make lock` forgotten: the build says so at once."""
    (tmp_path / "requirements.lock").write_text(LOCK)
    for each in ("contracts", "libs", "services"):
        (tmp_path / each).symlink_to(ROOT / each)

    with pytest.raises(DeploymentError, match=r"the image light needs .+, which requirements\.lock does not have"):
        select(tmp_path, ["light"])
