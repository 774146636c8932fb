"""What a person sees move: the steps of an upload, a run and a roll-out, on a terminal."""

import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from interlock_cli import datasets, rollouts, watch
from interlock_cli.terminal import Terminal, command_terminal
from interlock_client import Client, operations
from interlock_client.progress import Steps, format_duration
from interlock_contracts.http import DatasetView
from rich.console import Console
from typer import Exit

from tests.unit.cli.stub_gateway import KEY, StubGateway
from tests.unit.cli.views import NOW, RUN, dataset, rollout, run, version

STARTED, TRAINED, ENDED = (NOW + timedelta(seconds=seconds) for seconds in (2, 14, 15))


class Screen(Terminal):
    """A terminal whose last picture can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = StringIO()
        self.out = Console(file=self.seen, force_terminal=True, width=110)

    @property
    def rows(self) -> list[str]:
        """Return every row that was ever drawn, without colours, spaces made one."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.seen.getvalue())
        return [" ".join(row.split()) for row in re.split(r"[\r\n]+", plain) if row.strip()]

    def last(self, step: str) -> str:
        """Return a step's row as it stands in the end, the bar left out."""
        row = [row for row in self.rows if f" {step} " in row][-1]
        return re.sub(r"[━╸╺]+ ?", "", row)


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (operations.runs, operations.models, operations.datasets):
        monkeypatch.setattr(module, "POLL_SECONDS", 0.001)


@pytest.fixture
def gateway(stub: StubGateway) -> Iterator[Client]:
    with Client(stub.url, KEY) as gateway:
        yield gateway


def followed(stub: StubGateway, gateway: Client, screen: Screen, *views: Any) -> None:
    for view in views:
        stub.respond(f"GET /runs/{RUN}", view)
    watch.follow_run(gateway, screen, RUN, timeout=10)


def test_a_run_is_a_row_for_each_step(stub: StubGateway, gateway: Client, screen: Screen) -> None:
    """Waiting, training with its trials and best score, the gate: each with its own time, by the service's clock."""
    stub.respond("GET /models/m/versions/1", version("champion"))
    going: dict[str, Any] = {"started_at": STARTED}
    gone: dict[str, Any] = {**going, "trained_at": TRAINED, "trials": 4}
    followed(
        stub,
        gateway,
        screen,
        run("queued"),
        run("running", trials=1, **going),
        run("running", trials=3, **going),
        run("running", **gone),
        run("succeeded", version=1, ended_at=ENDED, **gone),
    )

    assert screen.last("queue") == "✓ queue 2.0 s"
    assert screen.last("training") == "✓ training 4/4 12 s best r2 0.9000"
    assert screen.last("gate") == "✓ gate 1.0 s"
    assert any("3/4" in row and "search" in row for row in screen.rows)


def test_the_step_that_failed_is_marked(stub: StubGateway, gateway: Client, screen: Screen) -> None:
    """What was done before stays done; a refusal is the gate's, a crash the training's."""
    stub.respond("GET /models/m/versions/2", version("refused", 2))
    gone: dict[str, Any] = {"started_at": STARTED, "trained_at": TRAINED, "ended_at": ENDED}
    followed(stub, gateway, screen, run("refused", version=2, **gone))
    assert screen.last("training").startswith("✓")
    assert screen.last("gate").startswith("✗")

    stub.responses.clear()
    crashed = Screen()
    followed(stub, gateway, crashed, run("failed", reason="out of memory", started_at=STARTED, ended_at=ENDED))
    assert crashed.last("training").startswith("✗")
    assert not any(" gate " in row for row in crashed.rows)


def test_the_time_left_comes_from_the_pace(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trials took four seconds: four more take about eight."""
    clock = iter(range(1000))
    monkeypatch.setattr(screen.out, "get_time", lambda: float(next(clock)))
    with Steps(screen.out) as steps:
        for done in range(5):
            steps.show("training", done=done, total=10, note="search")

    assert any(re.search(r"search about \d+(\.\d)? s left", row) for row in screen.rows)


def test_a_roll_out_counts_workers(stub: StubGateway, gateway: Client, screen: Screen) -> None:
    """And whoever cannot load the version says why above the bar."""
    stub.respond("GET /models/m/rollout", rollout("serving", "failed", failure="no memory"))
    stub.respond("GET /models/m/rollout", rollout("serving", "serving"))
    rollouts.follow_rollout(gateway, screen, "m", timeout=10)

    assert re.fullmatch(r"✓ roll-out 2/2 [\d.]+ s version 1", screen.last("roll-out"))
    assert any("no memory" in row for row in screen.rows)


def test_a_check_is_a_row_that_ends_with_its_verdict(stub: StubGateway, gateway: Client, screen: Screen) -> None:
    """Whoever uploads a large file sees that it is being checked."""
    stub.respond(f"GET /datasets/m/{'ab' * 32}", dataset("rejected"))
    view = DatasetView.model_validate(dataset("checking"))
    datasets.wait_for_verdict(gateway, screen, view, timeout=10)

    assert any("columns, types, ranges" in row for row in screen.rows)
    assert screen.last("validate").startswith("✗")


def test_ctrl_c_ends_the_command_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 130, as shells have it, and no traceback."""
    with pytest.raises(Exit) as raised, command_terminal(as_json=False):
        raise KeyboardInterrupt

    assert raised.value.exit_code == 130
    assert "the request continues on the server" in capsys.readouterr().err


def test_times_are_said_in_few_digits() -> None:
    """Nobody needs the milliseconds of a minute."""
    assert [format_duration(seconds) for seconds in (0.04, 9.94, 42.4, 7200)] == ["0.0 s", "9.9 s", "42 s", "120 min"]
