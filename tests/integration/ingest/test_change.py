"""A file that differs a lot from the one before: warned of or refused, over REST, on the bus and in a dry run."""

from typing import Any

import pytest
from interlock_contracts.pipeline import Pipeline

from tests.support.ingest_service import Ingest

pytestmark = pytest.mark.integration


def file(rows: int, offset: float = 0) -> bytes:
    """Return a file whose hundred different x begin at ``offset``; y has the same values in every file."""
    return b"x,y\n" + b"".join(f"{n % 100 + offset},{n % 50}\n".encode() for n in range(rows))


async def checked(ingest: Ingest, body: bytes) -> dict[str, Any]:
    view = await ingest.upload(body)
    await ingest.worker.validate_files()
    return await ingest.result(view["digest"])


def rules(findings: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(each["rule"], each.get("column")) for each in findings if each["rule"] in ("max_row_change", "max_psi")]


async def test_a_file_with_many_rows_gone_is_warned_of(ingest: Ingest) -> None:
    """Forty per cent are more than the thirty that nobody has to declare; the event tells it as well."""
    await checked(ingest, file(500))
    fewer = await checked(ingest, file(300))
    [_, (kind, published)] = await ingest.published()

    assert fewer["state"] == "accepted"
    assert ("max_row_change", None) in rules(fewer["warnings"])
    [told] = [each["message"] for each in fewer["warnings"] if each["rule"] == "max_row_change"]
    assert told == "300 rows, 40% fewer than batch 1 with 500; rules.max_row_change allows 30%"
    assert (kind, rules(published["warnings"])) == ("dataset.ingested", rules(fewer["warnings"]))


async def test_a_file_like_the_one_before_is_not(ingest: Ingest) -> None:
    """Nor is the first, which has none before it."""
    first = await checked(ingest, file(500))
    second = await checked(ingest, file(400))

    assert (rules(first["warnings"]), rules(second["warnings"])) == ([], [])


async def test_a_column_that_has_moved_is_named_with_where_its_values_went(ingest: Ingest) -> None:
    """Its index, the limit, and the shares that differ most."""
    await checked(ingest, file(400))
    moved = await checked(ingest, file(400, offset=1000))

    assert rules(moved["warnings"]) == [("max_psi", "x")]
    [told] = [each for each in moved["warnings"] if each["rule"] == "max_psi"]
    assert "'x' has drifted from batch 1" in told["message"]
    assert "rules.max_psi allows 0.25" in told["message"]
    assert any("100.0% now" in example for example in told["examples"])


async def test_a_column_that_is_expected_to_move_is_shown_and_refuses_nothing(ingest: Ingest) -> None:
    """Declared of it in the pipeline: the month of monthly files."""
    spec = ingest.spec(on_change="refuse").model_dump(mode="json")
    spec["data"]["columns"]["x"]["drift"] = "expected"
    await ingest.apply(Pipeline.model_validate(spec), revision=2)
    await checked(ingest, file(400))
    moved = await checked(ingest, file(400, offset=1000))

    assert (moved["state"], rules(moved["warnings"])) == ("accepted", [])
    shown = {each["column"]: each for each in moved["drift"]["columns"]}
    assert (shown["x"]["verdict"], shown["x"]["expected"], moved["drift"]["verdict"]) == ("large", True, "stable")


async def test_where_changes_are_refused_the_file_stays_out_until_the_pipeline_lets_it_in(ingest: Ingest) -> None:
    """The next file is compared with the last accepted one, and the refusal says what to do."""
    await ingest.apply(ingest.spec(on_change="refuse"), revision=2)
    await checked(ingest, file(500))
    refused = await checked(ingest, file(100, offset=1000))
    good = await checked(ingest, file(450))

    assert (refused["state"], rules(refused["reasons"])) == (
        "rejected",
        [("max_row_change", None), ("max_psi", "x")],
    )
    assert refused["profile"]["rows"] == 100
    assert all("apply the pipeline with rules.on_change: warn" in each["message"] for each in refused["reasons"])
    assert (good["state"], rules(good["warnings"])) == ("accepted", [])

    await ingest.apply(ingest.spec(), revision=3)
    assert (await checked(ingest, file(100, offset=1000)))["state"] == "accepted"


@pytest.mark.parametrize("on_change", ["warn", "refuse"])
async def test_a_dry_run_tells_the_same(ingest: Ingest, on_change: str) -> None:
    """Before anything is stored."""
    await ingest.apply(ingest.spec(on_change=on_change), revision=2)
    await checked(ingest, file(500))
    body = file(200, offset=1000)
    dry = (await ingest.http.post(f"/datasets/{ingest.pipeline}", params={"dry_run": "true"}, content=body)).json()
    real = await checked(ingest, body)

    assert {name: dry[name] for name in ("state", "reasons", "warnings")} == {
        name: real[name] for name in ("state", "reasons", "warnings")
    }
    assert dry["state"] == {"warn": "accepted", "refuse": "rejected"}[on_change]


async def test_limits_are_declared_or_left_open(ingest: Ingest) -> None:
    """A lower one is met earlier; null looks at nothing."""
    await ingest.apply(ingest.spec(max_row_change=0.05, max_psi=None), revision=2)
    await checked(ingest, file(500))
    fewer = await checked(ingest, file(450, offset=1000))
    await ingest.apply(ingest.spec(max_row_change=None), revision=3)
    open_end = await checked(ingest, file(50))

    assert rules(fewer["warnings"]) == [("max_row_change", None)]
    assert ("max_row_change", None) not in rules(open_end["warnings"])


async def test_files_that_are_sent_one_after_the_other_are_compared_in_that_order(ingest: Ingest) -> None:
    """Though the first is not checked yet when the second arrives."""
    first, second = await ingest.upload(file(500)), await ingest.upload(file(200))
    await ingest.worker.validate_files()

    assert rules((await ingest.result(first["digest"]))["warnings"]) == []
    assert ("max_row_change", None) in rules((await ingest.result(second["digest"]))["warnings"])
