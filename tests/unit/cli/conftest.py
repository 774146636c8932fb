"""The command line as a user has it: a gateway to talk to, and its key in the environment."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from interlock_cli.__main__ import app
from typer.testing import CliRunner

from tests.unit.cli.stub_gateway import KEY, StubGateway, running_stub


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StubGateway]:
    with running_stub() as opened:
        monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("INTERLOCK_GATEWAY_URL", opened.url)
        monkeypatch.setenv("INTERLOCK_API_KEY", KEY)
        yield opened


@dataclass
class Ended:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def interlock(*arguments: object, stdin: str | None = None) -> Ended:
    """Run the command line as a user does."""
    result = CliRunner().invoke(app, [str(each) for each in arguments], input=stdin, catch_exceptions=False)
    return Ended(result.exit_code, result.stdout, result.stderr)
