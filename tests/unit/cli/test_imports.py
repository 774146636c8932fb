"""`import-model`."""

import tarfile
from io import BytesIO
from pathlib import Path

from tests.support.mlflow_folders import MODELS, files_of
from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import RUN


def test_import_model_sends_the_folder_and_says_which_run_to_watch(stub: StubGateway) -> None:
    """As a tar archive of what is in it; equal folders give equal bytes."""
    stub.respond("POST /models/m/import", {"run_id": str(RUN), "run": f"/runs/{RUN}"}, status=202)
    for _ in range(2):
        ended = interlock("import-model", "m", str(MODELS / "onnx_network_regression"), "--reason", "the team's own")
        assert ended.code == 0, ended.err
        assert f"interlock watch {RUN}" in ended.out

    assert stub.requests[0].query == "reason=the+team%27s+own"
    assert stub.requests[0].body == stub.requests[1].body
    with tarfile.open(fileobj=BytesIO(stub.requests[0].body)) as tar:
        sent = {each.name: content.read() for each in tar if (content := tar.extractfile(each)) is not None}
    assert sent == files_of("onnx_network_regression")


def test_a_folder_that_is_not_imported_is_not_sent(stub: StubGateway, tmp_path: Path) -> None:
    """It says what is wrong: no model at all, or one that holds code."""
    ended = interlock("import-model", "m", str(tmp_path))
    assert ended.code == 1
    assert "has no file MLmodel" in ended.err
    (tmp_path / "MLmodel").write_text("flavors: {sklearn: {pickled_model: model.pkl}, python_function: {}}")
    ended = interlock("import-model", "m", str(tmp_path))
    assert ended.code == 1
    assert "only onnx and xgboost are imported" in " ".join(ended.err.split())
    assert stub.requests == []
