"""The notebook tutorial, as a reader runs it: every cell, from the first to the last."""

import os
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from interlock_client import AsyncClient

from tests.support.notebook_kernel import kernel
from tests.support.waiting import until

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tutorials" / "notebook.ipynb"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def shown(cell: Any) -> str:
    """Return what a cell has printed or returned, as text."""
    return "\n".join(each.get("text") or each.get("data", {}).get("text/plain", "") for each in cell.outputs)


async def test_every_cell_of_the_notebook_runs(
    stack: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that fails ends it with its traceback; a better model serves in the end, and its bars were shown."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    env = {**os.environ, **stack, "IPYTHONDIR": str(tmp_path / "ipython")}
    await nbclient.NotebookClient(notebook, km=kernel(), timeout=300).async_execute(env=env, cleanup_kc=True)

    by_source = {cell.source: cell for cell in notebook.cells if cell.cell_type == "code"}
    (refused,) = [cell for source, cell in by_source.items() if "InvalidError as" in source]
    assert "row 0, column 'size'" in shown(refused)
    (joined,) = [cell for source, cell in by_source.items() if ".join(answers)" in source]
    assert "prediction_id" in shown(joined)
    (watched,) = [cell for source, cell in by_source.items() if "progress=True" in source]
    assert "succeeded" in shown(watched)
    assert "training" in str(notebook.metadata.get("widgets")) + shown(watched)

    async with AsyncClient(stack["INTERLOCK_GATEWAY_URL"], stack["INTERLOCK_API_KEY"]) as client:
        assert (await client.version("houses", 1)).metrics["r2"] > 0.9

        async def logged() -> bool:  # workers publish what they have answered once a second
            versions = (await client.quality("houses", window="1h")).versions
            return sum(version.answered for version in versions) >= 300

        await until(logged, seconds=60)
