"""A client that is generated from the document goes the whole way: what the document says can be done, can be."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from tests.clients.environments import make_ready, seen_by
from tests.support.stack_user import ROW, csv, pipeline

pytestmark = [pytest.mark.e2e, pytest.mark.clients, pytest.mark.timeout(600)]

CLIENT = "openapi_python_client"


async def test_a_generated_client_goes_the_whole_way(stack: dict[str, str], tmp_path: Path) -> None:
    """Apply, upload, train, page, predict by each protocol, feedback, and quality of a window."""
    name = f"m-{uuid4().hex[:8]}"
    given = {
        "url": stack["INTERLOCK_GATEWAY_URL"],
        "key": stack["INTERLOCK_API_KEY"],
        "folder": str(tmp_path),
        "name": name,
        "pipeline": pipeline(name),
        "files": [csv(200, seed=seed).decode() for seed in (1, 2, 3)],
        "rows": [ROW, {"size": 2.0, "color": "blue"}],
        "tensors": {"size": "FP64", "color": "BYTES"},
    }
    await asyncio.to_thread(make_ready, CLIENT)
    saw = await asyncio.to_thread(seen_by, CLIENT, "whole_way.py", patience=500, **given)

    assert saw["applied"] == [True, False, True]
    assert saw["read back"] == "price"
    assert saw["dry run"] == "accepted"
    assert saw["states"] == ["accepted"] * 3
    assert set(saw["runs"]) <= {"succeeded", "refused"}
    assert (saw["predictions"], saw["mlflow"], saw["open inference"]) == (2, 2, [2])
    assert (saw["later"], saw["dataset later"]) == ("completed", ["completed", None])
    assert saw["feedback"] == 1
    assert saw["quality"] == [name, 600, 1]
    assert saw["wrong window"][:2] == ["Problem", 400]
    assert "window is a number with m, h or d" in saw["wrong window"][2]
    assert saw["pages"] == {"runs": [2, True], "versions": [[2, 1], True], "datasets": [3, True]}
