"""The demo, as `make demo` runs it."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


def test_the_demo_tells_its_whole_story(stack: dict[str, str]) -> None:
    """A better model takes over while a client asks; it exits 0 only where no request failed and versions went up."""
    done = subprocess.run(
        [sys.executable, "-m", "interlock_cli", "demo", "--json"],
        env={**os.environ, "INTERLOCK_HOME": stack["INTERLOCK_HOME"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert len(told["steps"]) == 9
    print(f"\ndemo {told['model']}: {told['seconds']:.1f} s")
