"""What Tab offers, and that every command can be scripted."""

import shutil
import subprocess
from typing import Any

import pytest
from interlock_cli.__main__ import app
from typer.main import get_command
from typer.testing import CliRunner

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import RUN, model, pipeline, run, version


def offered(words: str) -> set[str]:
    """Return what bash would be offered for the last of the words, as its script asks for it."""
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1), "_INTERLOCK_COMPLETE": "complete_bash"}
    return set(CliRunner().invoke(app, [], prog_name="interlock", env=asked).output.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_its_shell_can_read(shell: str) -> None:
    """Each of the three has its own; where the shell is here, it reads the script without a complaint."""
    script = interlock("completion", shell).out

    assert "_INTERLOCK_COMPLETE" in script
    if program := shutil.which(shell):
        subprocess.run([program, "-n", "-c", script], check=True, capture_output=True)


def test_another_shell_is_wrong_usage() -> None:
    """The three that there are stand in the answer."""
    ended = interlock("completion", "tcsh")

    assert (ended.code, "fish" in ended.err) == (2, True)


def test_names_come_from_the_gateway(stub: StubGateway) -> None:
    """Models, versions of the model that is named, runs and pipelines; only what begins with what was typed."""
    stub.respond("GET /models", [model(1), {**model(2), "name": "other"}])
    stub.respond("GET /models/m/versions", [version("champion", 12), version("refused", 2)])
    stub.respond("GET /runs", [run("succeeded")])
    stub.respond("GET /pipelines", [pipeline()])

    assert offered("interlock retrain ") == {"m", "other"}
    assert offered("interlock show m/1") == {"m/12"}
    assert offered("interlock trace 0b") == {str(RUN)}
    assert offered("interlock trace ff") == set()
    assert offered("interlock ingest ") == {"m"}


@pytest.mark.usefixtures("stub")
def test_names_that_the_product_knows_need_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Event types, scopes and parts; without a gateway there are no models, and no error in between."""
    monkeypatch.setenv("INTERLOCK_GATEWAY_URL", "http://127.0.0.1:1")

    assert offered("interlock events --type model.pro") == {"model.promoted"}
    assert offered("interlock keys create ci --scope pre") == {"predict"}
    assert offered("interlock logs gat") == {"gateway"}
    assert offered("interlock versions ") == set()


def commands(group: Any, path: str = "") -> list[Any]:
    """Return every command, groups walked, with its path."""
    below = getattr(group, "commands", {}).items()
    found = [each for name, command in below for each in commands(command, f"{path} {name}".strip())]
    return found or [pytest.param(group, id=path)]


@pytest.mark.parametrize("command", commands(get_command(app)))
def test_every_command_answers_programs(command: Any) -> None:
    """`--json` is everywhere but where a script for a shell is printed, and every command's help shows an example."""
    options = {option for parameter in command.params for option in parameter.opts}

    assert "--json" in options or command.name == "completion"
    assert "Example: interlock" in command.help or command.name in ("up", "down", "status")
