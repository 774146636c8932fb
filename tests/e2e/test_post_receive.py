"""The example of a post-receive hook, in a bare repository that is really pushed to."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from interlock_client import Client

from tests.conftest import CHECKOUT
from tests.support.git_repository import Repository
from tests.support.stack_user import csv, pipeline

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

HOOK = CHECKOUT / "docs/examples/hooks/post-receive"
MODEL = "pushed-prices"


def test_a_push_trains_what_it_has_changed(stack: dict[str, str], tmp_path: Path) -> None:
    """Once: not for another file, another branch, or a commit that was only reworded; the pusher reads what happens."""
    repository = Repository(tmp_path)
    hook = repository.bare / "hooks" / "post-receive"
    assert HOOK.read_text().count("flights") == 1
    hook.write_text(HOOK.read_text().replace("flights", MODEL))
    shutil.copymode(HOOK, hook)
    ours = {name: stack[name] for name in ("INTERLOCK_GATEWAY_URL", "INTERLOCK_API_KEY")}
    ours["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    files = {"pipeline.yaml": yaml.safe_dump(pipeline(MODEL)), "data/train.csv": csv(200, seed=1).decode()}

    first = repository.commit(**files)
    assert "pipeline.yaml, data/train.csv changed" in repository.push(variables=ours)
    repository.commit(README="2")
    assert "nothing of pipeline.yaml, data/train.csv changed" in repository.push(variables=ours)
    repository.commit("--amend", "--message", "reworded")
    repository.push(variables=ours)
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.commit(**{"data/train.csv": csv(300, seed=2).decode()})
    assert repository.push("topic", ours) == ""

    with Client(ours["INTERLOCK_GATEWAY_URL"], ours["INTERLOCK_API_KEY"]) as client:
        (run,) = client.runs(MODEL)
        ended = client.wait(run)
        assert (run.tags, ended.state) == ({"commit": first}, "succeeded")
        assert len(client.datasets(MODEL)) == 1
