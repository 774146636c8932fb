"""Programs that tests need and Debian has; `make test` installs them when root."""

import os
import shutil

import pytest


def program(name: str, package: str) -> str:
    """Return the path of a program; without it the test is skipped and says what to install, and fails in CI."""
    found = shutil.which(name)
    if found is None:
        told = f"{name} is missing: sudo apt-get install -y --no-install-recommends {package}"
        assert "CI" not in os.environ, told
        pytest.skip(told)
    return found
