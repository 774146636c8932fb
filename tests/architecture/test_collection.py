"""Every process collects the same tests: xdist's workers compare, and a difference stops the whole run."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import CHECKOUT

NAMED_BY_THE_CLOCK = """
import time
import pytest

@pytest.mark.parametrize("hour", [int(time.time() / 500)])
def test_named_by_the_clock(hour):
    assert hour
"""


def test_a_name_with_something_of_the_clock_stops_every_parallel_run(tmp_path: Path) -> None:
    """Though both workers may collect in the same second: the second one's clock is ahead."""
    (tmp_path / "test_one.py").write_text(NAMED_BY_THE_CLOCK)
    plugins = ["-p", "xdist", "-p", "tests.support.clock_ahead", "-p", "no:cacheprovider"]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", *plugins, tmp_path],
        cwd=CHECKOUT,
        env=alone | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "Different tests were collected between" in done.stdout  # whichever worker comes first
