"""A file to be judged on: all of its rows are held out, and it stays what it is, on a real broker and database."""

from typing import Any

import pytest
from interlock_contracts.datasets import DatasetSubmitted
from interlock_contracts.refs import DatasetRef

from tests.support.ingest_service import Ingest

pytestmark = pytest.mark.integration

GOOD = b"x,y\n" + b"".join(f"{n},{2 * n}\n".encode() for n in range(50))
FEW = b"x,y\n" + b"".join(f"{n},{2 * n}\n".encode() for n in range(1000, 1010))
BAD = b"x,z\n1,2\n"
EVALUATION = {"role": "evaluation"}


async def checked(ingest: Ingest, body: bytes, **params: str) -> dict[str, Any]:
    view = await ingest.upload(body, params=params)
    await ingest.worker.validate_files()
    return await ingest.result(view["digest"])


async def test_all_rows_of_an_evaluation_file_are_held_out(ingest: Ingest) -> None:
    """Over REST and in the event; beside it a training file is split as ever, and either is found by its role."""
    judged_on = await checked(ingest, FEW, **EVALUATION)
    trained_on = await checked(ingest, GOOD)
    [(_, first), (_, second)] = await ingest.published()

    assert (judged_on["state"], judged_on["role"], judged_on["warnings"]) == ("accepted", "evaluation", [])
    ref = DatasetRef.model_validate(judged_on["dataset"])
    assert (ref.train_rows, ref.holdout_rows, ref.holdout.holdout) == (0, 10, True)
    assert (trained_on["role"], trained_on["dataset"]["train_rows"] > 0) == ("training", True)
    assert [(each["role"], each["batch"]) for each in (first, second)] == [("evaluation", 1), ("training", 2)]
    for role, digests in {
        "evaluation": [judged_on["digest"]],
        "training": [trained_on["digest"]],
        "training,evaluation": [trained_on["digest"], judged_on["digest"]],
    }.items():
        listed = await ingest.http.get(f"/datasets/{ingest.pipeline}", params={"role": role})
        assert [each["digest"] for each in listed.json()] == digests
    for method in ("GET", "POST"):
        refused = await ingest.http.request(method, f"/datasets/{ingest.pipeline}", params={"role": "test"})
        assert (refused.status_code, "role" in refused.text) == (400, True)


async def test_an_evaluation_file_keeps_the_rules_of_its_pipeline(ingest: Ingest) -> None:
    """But for those on change, which are about files that follow each other; nor is the next one compared with it."""
    await ingest.apply(ingest.spec(on_change="refuse", max_psi=None), revision=2)
    first = await checked(ingest, GOOD)
    judged_on = await checked(ingest, FEW, **EVALUATION)
    third = await checked(ingest, GOOD + b"1,1\n")
    wrong = await checked(ingest, BAD, **EVALUATION)

    assert (judged_on["state"], judged_on["drift"]["against"]) == ("accepted", first["digest"])
    assert (third["state"], third["drift"]["against"]) == ("accepted", first["digest"])
    assert (wrong["state"], wrong["reasons"][0]["rule"]) == ("rejected", "missing_column")


async def test_a_dry_run_tells_the_same_and_stores_nothing(ingest: Ingest) -> None:
    """A dry run answers how many rows would be evaluated on."""
    answer = await ingest.http.post(
        f"/datasets/{ingest.pipeline}", params={**EVALUATION, "dry_run": "true"}, content=FEW
    )
    view = answer.json()

    assert (answer.status_code, view["state"], view["role"]) == (200, "accepted", "evaluation")
    assert (view["profile"]["train_rows"], view["profile"]["holdout_rows"]) == (0, 10)
    assert (await ingest.http.get(f"/datasets/{ingest.pipeline}")).json() == []


async def test_rows_that_are_judged_on_and_trained_on_are_warned_of(ingest: Ingest) -> None:
    """Whichever file comes first, and in a dry run; how many rows of the evaluation file, and where they stand."""
    first = await checked(ingest, GOOD)
    learned = first["dataset"]["train_rows"]
    judged_on = await checked(ingest, GOOD + FEW[4:], **EVALUATION)
    again = GOOD + b"-1,1\n"
    dry_run = await ingest.http.post(f"/datasets/{ingest.pipeline}", params={"dry_run": "true"}, content=again)
    later = await checked(ingest, again)
    apart = await checked(ingest, GOOD.replace(b",", b",-"))

    told = [
        [(each["count"], each["examples"]) for each in view["warnings"] if each["rule"] == "evaluation_rows"]
        for view in (first, judged_on, dry_run.json(), later, apart)
    ]
    of_later = [(learned, [later["digest"][:12]])]
    assert 0 < learned < 50
    assert told == [[], [(learned, [first["digest"][:12]])], of_later, of_later, []]
    assert f"of evaluation file {judged_on['digest'][:12]}" in later["warnings"][-1]["message"]


@pytest.mark.parametrize(("role", "other"), [("training", "evaluation"), ("evaluation", "training")])
async def test_a_file_keeps_its_role(ingest: Ingest, role: str, other: str) -> None:
    """What was trained on proves nothing: whether it is checked yet or not, and under another spec as well."""
    view = await ingest.upload(GOOD, params={"role": role})
    while_checking = await ingest.http.post(f"/datasets/{ingest.pipeline}", params={"role": other}, content=GOOD)
    await ingest.worker.validate_files()
    await ingest.apply(ingest.spec(min_rows=2), revision=2)
    under_another_spec = await ingest.http.post(f"/datasets/{ingest.pipeline}", params={"role": other}, content=GOOD)
    asked = {"role": other, "dry_run": "true"}
    dry_run = await ingest.http.post(f"/datasets/{ingest.pipeline}", params=asked, content=GOOD)
    key = f"incoming/{ingest.pipeline}/again.csv"
    ingest.artifacts.put_latest(key, GOOD)
    await ingest.deliver(DatasetSubmitted.model_validate({"pipeline": ingest.pipeline, "object": key, "role": other}))
    await ingest.worker.take_submissions()

    for refused in (while_checking, under_another_spec, dry_run):
        assert (refused.status_code, f"is known as a{'n' * (role == 'evaluation')} {role} file" in refused.text) == (
            409,
            True,
        )
    [(_, published), (kind, rejected)] = await ingest.published()
    assert (published["role"], kind, rejected["reasons"][0]["rule"]) == (role, "dataset.rejected", "role")
    listed = (await ingest.http.get(f"/datasets/{ingest.pipeline}")).json()
    assert [(each["digest"], each["role"]) for each in listed] == [(view["digest"], role)]


async def test_a_refused_file_may_come_again_in_the_other_role(ingest: Ingest) -> None:
    """Nothing was trained on it; it is checked anew, and in the new role only."""
    await ingest.apply(ingest.spec(on_change="refuse", max_psi=None), revision=2)
    await checked(ingest, GOOD)
    refused = await checked(ingest, FEW)
    accepted = await checked(ingest, FEW, **EVALUATION)

    assert (refused["state"], refused["role"]) == ("rejected", "training")
    assert (accepted["state"], accepted["role"], accepted["dataset"]["train_rows"]) == ("accepted", "evaluation", 0)


async def test_a_submitted_object_has_a_role_too(ingest: Ingest) -> None:
    """As its request says; a request of before there were roles is about a training file."""
    for number, role in enumerate(({}, EVALUATION)):
        key = f"incoming/{ingest.pipeline}/{number}.csv"
        ingest.artifacts.put_latest(key, GOOD + f"{number},1\n".encode())
        await ingest.deliver(DatasetSubmitted.model_validate({"pipeline": ingest.pipeline, "object": key, **role}))
        await ingest.worker.take_submissions()
    await ingest.worker.validate_files()

    assert [published["role"] for _, published in await ingest.published()] == ["training", "evaluation"]
