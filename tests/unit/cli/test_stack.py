"""`interlock env` and `logs`, which need no running stack."""

from pathlib import Path

import pytest
from interlock_localstack.state_dir import StateDir

from tests.unit.cli.conftest import interlock


def test_programs_read_addresses_and_logs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As one document each; a log's last lines, and no end of it at the same time."""
    state_dir = StateDir(tmp_path / "home")
    monkeypatch.setenv("INTERLOCK_HOME", str(state_dir.root))
    state_dir.create()
    state_dir.write("environment", {"INTERLOCK_GATEWAY_URL": "http://here"})
    (state_dir.logs / "gateway.log").write_text("one\ntwo\nthree\n")

    assert interlock("env", "--json").json == {"INTERLOCK_GATEWAY_URL": "http://here"}
    assert interlock("env", "--export").out == "export INTERLOCK_GATEWAY_URL=http://here\n"
    assert interlock("logs", "gateway", "--lines", 2, "--json").json == {"gateway": ["two", "three"]}
    assert interlock("logs", "--follow", "--json").code == 2
    assert interlock("logs", "gateway", "--lines", 1).out == "three\n"
    assert "components: rabbitmq" in interlock("logs", "nobody").err


def test_a_component_is_told_by_the_name_that_was_perhaps_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One that is there, and has written nothing yet, is not."""
    monkeypatch.setenv("INTERLOCK_HOME", str(tmp_path))

    assert "there is no log of gatewy; did you mean 'gateway'?" in interlock("logs", "gatewy").err
    assert "did you mean" not in interlock("logs", "gateway").err
