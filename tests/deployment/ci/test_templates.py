"""The CI templates are what their systems take: schemas, and GitHub's security rules."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.environments import make_ready, ran_by
from tests.conftest import CHECKOUT
from tests.support.debian_programs import program

TEMPLATES = CHECKOUT / "docs/examples/ci"
WORKFLOW, GITLAB, JENKINS = (
    TEMPLATES / name for name in ("github/interlock.yml", "gitlab/.gitlab-ci.yml", "jenkins/Jenkinsfile")
)
SHIM = CHECKOUT / "tests/support/jenkins_shim.groovy"
SCHEMAS = {
    WORKFLOW: ("--builtin-schema", "vendor.github-workflows"),
    GITLAB: ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"),
}


@pytest.fixture(scope="module")
def tools() -> None:
    make_ready("ci_systems")


def checked(file: Path, like: Path) -> subprocess.CompletedProcess[str]:
    return ran_by("ci_systems", "check-jsonschema", *SCHEMAS[like], str(file))


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("template", SCHEMAS, ids=lambda path: path.name)
def test_a_template_is_of_its_systems_schema(template: Path, tmp_path: Path) -> None:
    """And a misspelt key is none."""
    misspelt = tmp_path / template.name
    misspelt.write_text(re.sub(r"^( +)(steps|script):", r"\1\2x:", template.read_text(), flags=re.MULTILINE))
    good, bad = checked(template, template), checked(misspelt, template)

    assert good.returncode == 0, good.stdout + good.stderr
    assert bad.returncode == 1, bad.stdout + bad.stderr


@pytest.mark.usefixtures("tools")
def test_the_workflow_has_no_security_finding(tmp_path: Path) -> None:
    """No injection, no unpinned action, no more rights than needed; the checker finds them in one that has them."""
    unsafe = tmp_path / "unsafe.yml"
    injected = WORKFLOW.read_text().replace(
        "run: interlock validate", "run: echo ${{ github.head_ref }}; interlock validate"
    )
    unsafe.write_text(injected)
    good, bad = (ran_by("ci_systems", "zizmor", "--offline", "--no-config", str(file)) for file in (WORKFLOW, unsafe))

    assert good.returncode == 0, good.stdout + good.stderr
    assert "template-injection" in bad.stdout
    assert bad.returncode != 0


@pytest.mark.parametrize("template", [WORKFLOW, GITLAB, JENKINS], ids=lambda path: path.name)
def test_a_template_holds_commands_and_no_logic(template: Path) -> None:
    """What differs between systems cannot be tested in all of them; so each step is one command of ours."""
    text = template.read_text()
    steps = re.findall(r"^ +- run: (.*)|^ +- (interlock .*)|^ +sh '(.*)'", text, re.MULTILINE)
    commands = ["".join(each) for each in steps]

    assert len(commands) >= 6
    assert not [each for each in commands if not re.fullmatch(r'interlock [a-z]+( [\w./-]+| "\$\w+")*', each)]
    assert "${{" not in "".join(commands)


def test_the_shim_refuses_a_step_that_it_does_not_know(tmp_path: Path) -> None:
    """So a Jenkinsfile that passes has only steps that were run."""
    groovy = program("groovy", "groovy")
    unknown = tmp_path / "Jenkinsfile"
    unknown.write_text("pipeline { agent any; stages { stage('One') { steps { shell 'true' } } } }")
    done = subprocess.run(
        [groovy, str(SHIM), str(unknown)], env=with_java(), capture_output=True, text=True, check=False, timeout=100
    )

    assert done.returncode == 1
    assert "shell" in done.stderr


def with_java() -> dict[str, str]:
    """Return the environment with what groovy needs to know of Java."""
    java = shutil.which("java")
    return os.environ | ({"JAVA_HOME": str(Path(java).resolve().parents[1])} if java else {})
