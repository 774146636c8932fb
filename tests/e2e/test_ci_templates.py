"""The CI templates, each run by its system against the stack: an experiment trains once and goes into production."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml
from interlock_client import Client

from tests.clients.environments import make_ready, node_path, ran_by
from tests.conftest import CHECKOUT
from tests.support.debian_programs import program
from tests.support.forge import TOKEN, Forge, running_forge
from tests.support.git_repository import Repository
from tests.support.stack_user import csv, pipeline

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

TEMPLATES = CHECKOUT / "docs/examples/ci"
SHIM = CHECKOUT / "tests/support/jenkins_shim.groovy"
TOOLS = "ci_systems"
ORIGIN = "https://github.com/acme/models.git"
REQUEST = "5"
PATIENCE = 300.0


@dataclass
class Template:
    """A user's repository with a template in it, whose commit is that of a pull request or of a branch.

    ``before`` is where the branch was before that was pushed.
    """

    code: Repository
    model: str
    commit: str
    before: str
    forge: Forge
    stack: dict[str, str]

    @property
    def folder(self) -> Path:
        return self.code.clone

    def variables(self, forge: str) -> dict[str, str]:
        """Return a job's environment: ours, and what the forge gives to a job for the pull request."""
        ours = {name: self.stack[name] for name in ("INTERLOCK_GATEWAY_URL", "INTERLOCK_API_KEY")}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        home = self.folder.parent / "home"
        home.mkdir(exist_ok=True)
        (home / ".gitconfig").write_text(f'[url "{self.code.bare}"]\n\tinsteadOf = {ORIGIN}\n')
        return ours | self.forge.variables(forge, REQUEST) | {"PATH": path, "HOME": str(home)}


class Github:
    """GitHub Actions, as `act` runs it on this host."""

    template, place = "github/interlock.yml", ".github/workflows/interlock.yml"

    def on_request(self, repository: Template) -> str:
        return self._act(repository, "pull_request", "experiment")

    def on_branch(self, repository: Template, name: str) -> str:
        return self._act(repository, "push", name)

    def _act(self, repository: Template, event: str, job: str) -> str:
        given = repository.variables("github")
        payload = repository.folder.parent / "event.json"
        head = {"ref": "topic", "repo": {"full_name": "acme/models"}}
        number = int(REQUEST)
        asked = {"number": number, "pull_request": {"number": number, "head": head, "base": {"ref": "dev"}}}
        about = {"repository": {"full_name": "acme/models", "default_branch": "main"}}
        pushed = {"ref": f"refs/heads/{job}", "before": repository.before, "after": repository.commit}
        payload.write_text(json.dumps(about | (asked if event == "pull_request" else pushed)))
        words = ["--var", f"INTERLOCK_GATEWAY_URL={given['INTERLOCK_GATEWAY_URL']}", "--secret", "INTERLOCK_API_KEY"]
        words += ["--secret", f"GITHUB_TOKEN={TOKEN}", "--env", f"GITHUB_API_URL={repository.forge.url}"]
        words += ["--platform", "ubuntu-latest=-self-hosted", "--eventpath", str(payload)]
        own = {name: given[name] for name in ("PATH", "HOME", "INTERLOCK_API_KEY")}
        return output(
            ran_by(TOOLS, "act", event, "--job", job, *words, cwd=repository.folder, patience=PATIENCE, **own)
        )


OWN_VARIABLES = "CI_PIPELINE_SOURCE,CI_API_V4_URL,CI_PROJECT_ID,CI_COMMIT_BEFORE_SHA"


class Gitlab:
    """GitLab CI, as `gitlab-ci-local` runs it in this host's shell."""

    template, place = "gitlab/.gitlab-ci.yml", ".gitlab-ci.yml"

    def on_request(self, repository: Template) -> str:
        request = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "dev"}
        return self._local(repository, "experiment", **request)

    def on_branch(self, repository: Template, name: str) -> str:
        pushed = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BEFORE_SHA": repository.before, "CI_MERGE_REQUEST_IID": ""}
        return self._local(repository, "order", "promote" if name == "production" else "train", **pushed)

    def _local(self, repository: Template, *jobs: str, **changed: str) -> str:
        program("rsync", "rsync")
        given = repository.variables("gitlab")
        own = {"PATH": node_path(TOOLS, given.pop("PATH")), "HOME": given.pop("HOME")}
        words = ["--force-shell-executor", "--ignore-predefined-vars", OWN_VARIABLES]
        for name, value in (given | changed).items():
            words += ["--variable", f"{name}={value}"]
        command = [shutil.which("gitlab-ci-local", path=own["PATH"]) or "gitlab-ci-local", *words, *jobs]
        return output(_run(command, repository, own))


class Jenkins:
    """A Jenkinsfile's steps, as groovy runs them over a shim."""

    template, place = "jenkins/Jenkinsfile", "Jenkinsfile"

    def on_request(self, repository: Template) -> str:
        return self._groovy(repository, BRANCH_NAME=f"PR-{REQUEST}", CHANGE_ID=REQUEST, CHANGE_TARGET="dev")

    def on_branch(self, repository: Template, name: str) -> str:
        return self._groovy(repository, BRANCH_NAME=name, GIT_PREVIOUS_COMMIT=repository.before)

    def _groovy(self, repository: Template, **job: str) -> str:
        given = repository.variables("github")
        key = given.pop("INTERLOCK_API_KEY")
        for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN", "GITHUB_REF"):  # the Jenkinsfile sets them
            del given[name]
        held = {"CREDENTIALS_INTERLOCK_API_KEY": key, "CREDENTIALS_GITHUB_TOKEN": TOKEN}
        java = Path(program("java", "default-jre-headless")).resolve().parents[1]
        command = [program("groovy", "groovy"), str(SHIM), "Jenkinsfile"]
        own = given | held | job | {"JAVA_HOME": str(java), "GIT_COMMIT": repository.commit}
        return output(_run(command, repository, own))


def _run(command: list[str], repository: Template, own: dict[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("INTERLOCK_", "GITHUB_", "CI_"))}
    return subprocess.run(
        command,
        cwd=repository.folder,
        env=kept | own,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def output(done: subprocess.CompletedProcess[str]) -> str:
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    return text


@pytest.fixture
def forge() -> Iterator[Forge]:
    with running_forge() as opened:
        yield opened


def template(system: Github | Gitlab | Jenkins, folder: Path, forge: Forge, stack: dict[str, str]) -> Template:
    """Return a repository with a template as it is shown, but for the model's name, and a topic of a branch dev."""
    model = f"{type(system).__name__.lower()}-prices"
    text = (TEMPLATES / system.template).read_text()
    assert text.count("flights") == 1
    repository = Repository(folder)
    spec = yaml.safe_dump(pipeline(model, promotion="approval"))
    first = repository.commit(**{system.place: text.replace("flights", model), "pipeline.yaml": spec})
    for name in ("dev", "staging", "production"):
        repository.push(f"main:{name}")
    repository.git("remote", "set-url", "origin", ORIGIN)
    repository.git("checkout", "--quiet", "-b", "topic")
    commit = repository.commit(**{"data/train.csv": csv(200, seed=1).decode()})
    return Template(repository, model, commit, first, forge, stack)


def on_dev(made: Template, branch: str) -> Template:
    """Merge an experiment into dev, as a person does, and let staging and production follow."""
    bare = str(made.code.bare)
    made.code.git("fetch", "--quiet", bare, branch)
    made.code.git("checkout", "--quiet", "-B", "dev", made.before)
    made.code.git("merge", "--quiet", "--no-ff", "-m", "an experiment", "FETCH_HEAD")
    for name in ("dev", "staging", "production"):
        made.code.git("push", "--quiet", bare, f"dev:{name}")
    return replace(made, commit=made.code.git("rev-parse", "HEAD"))


@pytest.mark.parametrize("system", [Github(), Gitlab(), Jenkins()], ids=lambda system: type(system).__name__.lower())
def test_a_template_trains_once_reports_once_and_promotes(
    system: Github | Gitlab | Jenkins, stack: dict[str, str], forge: Forge, tmp_path: Path
) -> None:
    """A pull request, its experiment on dev and in production, the request once more: one run, version and comment."""
    make_ready(TOOLS)
    made = template(system, tmp_path, forge, stack)
    with Client(stack["INTERLOCK_GATEWAY_URL"], stack["INTERLOCK_API_KEY"]) as client:
        system.on_request(made)
        (run,) = client.runs(made.model)
        assert (run.state, run.version, run.tags) == ("succeeded", 1, {"commit": made.commit})
        assert client.version(made.model, 1).stage == "passed"
        (before,) = forge.bodies(REQUEST)
        assert "awaits approval" in before

        merged = on_dev(made, f"experiment/{made.model}/{str(run.run_id)[:8]}")
        assert str(run.run_id) in system.on_branch(merged, "production")
        assert client.version(made.model, 1).stage == "champion"

        assert str(run.run_id) in system.on_request(merged)
        (after,) = forge.bodies(REQUEST)
        assert "is serving" in after
        assert [each.run_id for each in client.runs(made.model)] == [run.run_id]
        assert len(client.datasets(made.model)) == 1
