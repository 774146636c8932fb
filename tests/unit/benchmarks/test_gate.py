"""The benchmark of the gate in small: the whole evaluation, in a process of its own, and its page."""

from tests.benchmarks.gate.__main__ import measure, page


def test_every_row_is_judged_and_the_page_has_the_numbers() -> None:
    """Of two models that answer: the bars themselves are for a million rows."""
    found = measure("binary", 4_000, "linear")

    assert found["rows"] == 4_000
    assert 0 < found["cpu_seconds"] < 60
    assert 10_000 < found["report"] < 200_000
    assert any("roc_auc is" in reason and "of version 1" in reason for reason in found["reasons"])
    assert "| binary | 4,000 |" in page([found])
    assert "All bars are kept." in page([found | {"cpu_seconds": 29.0, "memory": 5 * 10**8}])
    assert "Bars missed: binary." in page([found | {"cpu_seconds": 31.0}])
