import stat
from pathlib import Path

import pytest
from interlock_deployment.engine import Engine

RECORDER = """#!/usr/bin/env python3
import json, os, sys
from pathlib import Path

here = Path(os.environ["FAKE_ENGINE"])
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
answer = here / ("size" if any("Size" in each for each in sys.argv) else sys.argv[1])
if answer.exists():
    print(answer.read_text(), end="")
status = here / f"{sys.argv[1]}.status"
sys.exit(int(status.read_text()) if status.exists() else 0)
"""


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a `podman` first on the path that records how it is called.

    What it prints for a sub-command is in the file of its name in this folder, an image's size in ``size``, its exit
    status in ``<name>.status``.
    """
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "podman"
    program.write_text(RECORDER)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    folder = tmp_path / "answers"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_ENGINE", str(folder))
    return folder


@pytest.fixture
def engine(answers: Path) -> Engine:  # noqa: ARG001 - it is what is found on the path
    return Engine("podman")
