"""`power`: how many held-out rows a gain needs."""

import pytest
from interlock_cli.power import rows_needed
from interlock_contracts.ledger import LedgerView
from interlock_contracts.report import GainReport, GateReport

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import plain, version

LEDGER = plain(LedgerView(model="m", period=1, budget=0.05, spent=0.012, next_level=0.0003, next_level_fresh=0.003))


def test_a_gain_needs_rows_by_its_square() -> None:
    """At 5 % and a power of 0.8: (1.645 + 0.842)^2 by the squared deviation over the gain, and one row more."""
    needed = rows_needed(1.0, 0.1, level=0.05, power=0.8, bounded=False)

    assert needed == pytest.approx(618 + 2 * 618**0.5, abs=2)
    assert rows_needed(1.0, 0.05, level=0.05, power=0.8, bounded=False) > 3.5 * needed
    assert rows_needed(1.0, 0.1, level=0.003, power=0.8, bounded=True) > needed


def test_the_newest_version_that_was_compared_tells_the_spread(stub: StubGateway) -> None:
    """Version 3 has nothing to say, as it was compared with none."""
    compared = GateReport(metric="r2", rows=900, champion=GainReport(version=1, deviation=0.2))
    stub.respond("GET /models/m/ledger", LEDGER)
    stub.respond("GET /models/m/versions", [version("refused", 3), version("refused", 2) | {"against": 1}])
    stub.respond("GET /models/m/versions/2", version("refused", 2) | {"report": plain(compared)})
    ended = interlock("power", "m", "--gain", "0.01", "--json")

    assert ended.code == 0
    assert ended.json["rows"] == rows_needed(0.2, 0.01, level=0.003, power=0.8, bounded=False)
    assert (ended.json["measured_version"], ended.json["measured_rows"]) == (2, 900)


def test_without_a_comparison_there_is_nothing_to_go_by(stub: StubGateway) -> None:
    """And what to do is told."""
    stub.respond("GET /models/m/ledger", LEDGER)
    stub.respond("GET /models/m/versions", [version("champion", 1)])
    ended = interlock("power", "m", "--gain", "0.01")

    assert ended.code == 1
    assert "interlock retrain m" in ended.err
