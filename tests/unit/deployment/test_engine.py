from pathlib import Path

import pytest
from interlock_deployment.engine import Engine, find_engine
from interlock_deployment.errors import DeploymentError


@pytest.mark.usefixtures("answers")
def test_an_engine_that_works_is_found() -> None:
    """Whichever of the two answers, without asking for it by name."""
    assert find_engine() == Engine("podman")


def test_an_engine_without_its_daemon_is_not_taken(answers: Path) -> None:
    """Docker's command is often there without Docker."""
    (answers / "info.status").write_text("1")

    with pytest.raises(DeploymentError, match="neither Docker nor Podman works here") as refused:
        find_engine()
    assert refused.value.hint == "on Debian: sudo apt-get install -y podman buildah"
    with pytest.raises(DeploymentError, match="`podman info` fails"):
        find_engine("podman")


def test_an_unknown_engine_is_refused() -> None:
    """The commands of others differ in what is used here."""
    with pytest.raises(DeploymentError, match="'lxc' is no container engine that is known here"):
        find_engine("lxc")


def test_the_reason_is_the_engines_error_and_not_its_progress(answers: Path, engine: Engine) -> None:
    """A push prints a line for each layer before it says why it failed."""
    (answers / "push").write_text("Copying blob 1\nCopying blob 2\nError: connection refused\n")
    (answers / "push.status").write_text("125")

    with pytest.raises(DeploymentError) as failed:
        engine.run("push", "registry.example.com/interlock/light:1")

    assert failed.value.message == "podman push failed: Error: connection refused"


def test_without_an_error_of_its_own_the_end_of_the_output_is_the_reason(answers: Path, engine: Engine) -> None:
    """A build prints pages; what failed stands at the end."""
    (answers / "build").write_text("".join(f"STEP {number}\n" for number in range(40)))
    (answers / "build.status").write_text("1")

    with pytest.raises(DeploymentError) as failed:
        engine.run("build", ".")

    assert failed.value.message.startswith("podman build failed: STEP 28\n")
    assert failed.value.message.endswith("STEP 39")
