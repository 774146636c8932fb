"""Leaks in a file and beside earlier ones: warned of, or refused by declaration; on a real broker and database."""

from typing import Any

import numpy as np
import pytest

from tests.support.ingest_service import Ingest

pytestmark = pytest.mark.integration


def file(seed: int, rows: int = 60) -> bytes:
    x = np.random.default_rng(seed).normal(size=(rows, 2))
    return b"x,y\n" + "".join(f"{a!r},{a + b!r}\n" for a, b in x.tolist()).encode()


async def checked(ingest: Ingest, body: bytes, **params: str) -> dict[str, Any]:
    view = await ingest.upload(body, params=params)
    await ingest.worker.validate_files()
    return await ingest.result(view["digest"])


def rules(findings: list[dict[str, Any]]) -> list[tuple[str, str | None, int]]:
    return [(each["rule"], each.get("column"), each["count"]) for each in findings if each["rule"] != "max_row_change"]


async def test_a_file_without_a_new_row_is_warned_of(ingest: Ingest) -> None:
    """By whichever of the files before it; in another order, it is another file. A single new row is enough."""
    await checked(ingest, file(1))
    await checked(ingest, file(2))
    header, *lines = (file(1) + file(2).removeprefix(b"x,y\n")).splitlines(keepends=True)
    again = await checked(ingest, header + b"".join(sorted(lines)))
    more = await checked(ingest, header + b"".join([*lines, b"9,9\n"]))

    assert rules(again["warnings"]) == [("known_rows", None, 120)]
    assert "120 of 120 rows are in the 2 files before it" in again["warnings"][-1]["message"]
    assert (more["state"], rules(more["warnings"])) == ("accepted", [])


async def test_a_leak_is_refused_by_declaration_also_in_a_dry_run(ingest: Ingest) -> None:
    """A target that a column gives alone, too many known rows, and rows of the evaluation file."""
    await ingest.apply(ingest.spec(leak="refuse", max_known_rows=0.5), revision=2)
    copied = b"x,y\n" + b"".join(f"{n / 7},{2 * n}\n".encode() for n in range(50))
    dry_run = await ingest.http.post(f"/datasets/{ingest.pipeline}", params={"dry_run": "true"}, content=copied)
    refused = await checked(ingest, copied)
    first = await checked(ingest, file(1))
    mostly = await checked(ingest, file(1) + b"9,8\n9,9\n")
    judged_on = await checked(ingest, file(1) + b"8,8\n", role="evaluation")

    assert rules(dry_run.json()["reasons"]) == rules(refused["reasons"]) == [("target_copy", "x", 50)]
    assert (first["state"], first["warnings"]) == ("accepted", [])
    assert rules(mostly["reasons"]) == [("known_rows", None, 60)]
    assert "rules.max_known_rows allows 50%" in mostly["reasons"][0]["message"]
    assert [each["rule"] for each in judged_on["reasons"]] == ["evaluation_rows"]
