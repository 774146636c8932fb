"""A model that MLflow has saved challenges a trained one, wins at the gate, and serves; by the command line alone."""

from pathlib import Path
from uuid import uuid4

import pyarrow.csv as arrow_csv
import pytest
import yaml
from interlock_client import Client

from tests.e2e.test_real_data import interlock
from tests.support.mlflow_folders import ANSWERS, MODELS, pipeline, table

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_an_imported_model_that_is_better_takes_over(stack: dict[str, str], tmp_path: Path) -> None:
    """The linear champion misses the square; the import is judged on the same holdout; its report says what it is."""
    name = f"imported-{uuid4().hex[:6]}"
    declared = pipeline(name=name).model_dump(mode="json", exclude_defaults=True)
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(declared))
    arrow_csv.write_csv(table(rows=600), tmp_path / "rows.csv")
    interlock(stack, "apply", str(tmp_path / "pipeline.yaml"))
    assert interlock(stack, "ingest", name, str(tmp_path / "rows.csv"))["state"] == "accepted"
    assert interlock(stack, "watch", "--model", name)["version"] == 1

    ended = interlock(stack, "import-model", name, str(MODELS / "xgboost_regression"), "--wait")

    assert (ended["state"], ended["version"]) == ("succeeded", 2)
    assert ended["imported"]
    with Client(stack["INTERLOCK_GATEWAY_URL"], stack["INTERLOCK_API_KEY"]) as client:
        answers = [each.prediction for each in client.predict(name, ANSWERS["rows"])]
        version = client.version(name, 2)
    assert answers == pytest.approx(ANSWERS["answers"]["xgboost_regression"], rel=1e-5, abs=1e-5)
    assert version.details is not None
    assert version.details["winner"] == "imported xgboost"
    assert version.details["imported"]["digest"] == ended["imported"]
    assert version.against == 1
    interlock(stack, "report", f"{name}/2", "--to", str(tmp_path / "report"))
    [written] = (tmp_path / "report").glob("*.md")
    assert "the gate cannot prove that it has not seen" in written.read_text()
