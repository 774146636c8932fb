"""The OpenAPI document says what may be asked: a fuzzer asks the whole stack that, and what is just not that."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

SECONDS, LONG_SECONDS = 40, 600
NO_ERROR_OF_OURS = "not_a_server_error,status_code_conformance,content_type_conformance"
"""No 5xx, no status and no type of content that the document does not name."""


def fuzzed(stack: dict[str, str], folder: Path, seconds: int, *options: str) -> subprocess.CompletedProcess[str]:
    """Fuzz every operation for so long."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", stack["INTERLOCK_GATEWAY_URL"] + "/schema/openapi.json"),
            *("-H", f"Authorization: Bearer {stack['INTERLOCK_API_KEY']}", "--checks", NO_ERROR_OF_OURS),
            *("--max-time", str(seconds), "--phases", "examples,coverage,fuzzing", "--no-color", *options),
            # Streams that last until the prediction ends; and an unloaded model answers 503 to everything, rightly.
            *("--exclude-path-regex", "/events$|/unload$"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=seconds + 60,
    )


def test_the_gateway_answers_whatever_is_asked(stack: dict[str, str], tmp_path: Path) -> None:
    """The same cases in every run."""
    done = fuzzed(stack, tmp_path, SECONDS, "--generation-deterministic", "--no-shrink")
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " generated" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(LONG_SECONDS + 120)
def test_the_gateway_answers_whatever_is_asked_for_longer(stack: dict[str, str], tmp_path: Path) -> None:
    """Other cases every time; the seed is told where one fails."""
    done = fuzzed(stack, tmp_path, LONG_SECONDS)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
