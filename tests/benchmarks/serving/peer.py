"""The servers that users have today: how each is started, asked and read."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

PeerEngine = Literal["sklearn", "onnx"]
Row = dict[str, Any]

_FOREST = ("forest",)
_ALL = ("forest", "xgboost", "linear")


@dataclass(frozen=True)
class Peer:
    """``command`` starts one worker in ``peers/<folder>``; ``{port}``, ``{work}`` and ``{bin}`` are filled in.

    ``body`` is the request for one row, ``value`` reads the prediction from an answer. ``prepare``, if any, runs
    before the first start.
    """

    name: str
    folder: str
    title: str
    command: tuple[str, ...]
    path: str = "/predict/{model}"
    body: Callable[[Row, PeerEngine], Any] = lambda row, _: {"rows": [row]}
    value: Callable[[Any], float] = lambda answer: answer["predictions"][0]
    models: tuple[str, ...] = _FOREST
    engines: tuple[PeerEngine, ...] = ("sklearn", "onnx")
    prepare: tuple[str, ...] = ()
    configure: Callable[[Path, Path, PeerEngine], None] | None = None

    def filled(self, words: tuple[str, ...], *, port: int, work: Path, binaries: Path) -> list[str]:
        """Return a command with what this run chose."""
        return [word.format(port=port, work=work, bin=binaries) for word in words]


def _tensors(row: Row, engine: PeerEngine) -> dict[str, Any]:
    """Return a row in the Open Inference Protocol: one tensor a column, decoded to a frame for scikit-learn."""
    as_text = {"parameters": {"content_type": "str"}} if engine == "sklearn" else {}
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": "BYTES", "data": [cell], **as_text}
        if isinstance(cell, str)
        else {"name": name, "shape": [1, 1], "datatype": "FP64", "data": [cell]}
        for name, cell in row.items()
    ]
    return {"inputs": inputs, **({"parameters": {"content_type": "pd"}} if engine == "sklearn" else {})}


def _mlserver_settings(work: Path, models: Path, engine: PeerEngine) -> None:
    """Write a model repository: MLServer's own scikit-learn runtime, or the runtime of ``peers/mlserver``."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "settings.json").write_text(json.dumps({"host": "127.0.0.1"}))
    for name in _ALL:
        (work / name).mkdir(exist_ok=True)
        runtime: dict[str, Any] = {"name": name, "implementation": "serve.Students"}
        if engine == "sklearn":
            uri = str(models / f"{name}.joblib")
            runtime |= {"implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": uri}}
        (work / name / "model-settings.json").write_text(json.dumps(runtime))


_UVICORN = ("{bin}/uvicorn", "serve:app", "--host", "127.0.0.1", "--port", "{port}", "--no-access-log")

PEERS = (
    Peer(
        "flask",
        "flask",
        "Flask + gunicorn",
        ("{bin}/gunicorn", "--workers", "1", "--bind", "127.0.0.1:{port}", "serve:app"),
    ),
    Peer(
        "fastapi",
        "fastapi",
        "FastAPI + uvicorn",
        _UVICORN,
        models=_ALL,
    ),
    Peer(
        "fastapi-async",
        "fastapi",
        "FastAPI + uvicorn, async def",
        _UVICORN,
        path="/inline/{model}",
        models=_ALL,
        engines=("onnx",),
    ),
    Peer(
        "bentoml",
        "bentoml",
        "BentoML",
        ("{bin}/bentoml", "serve", "serve:Students", "--host", "127.0.0.1", "--port", "{port}"),
        path="/predict",
        value=lambda answer: answer[0],
    ),
    Peer(
        "mlserver",
        "mlserver",
        "MLServer",
        ("{bin}/mlserver", "start", "{work}"),
        path="/v2/models/{model}/infer",
        body=_tensors,
        value=lambda answer: answer["outputs"][0]["data"][0],
        models=_ALL,
        configure=_mlserver_settings,
    ),
    Peer(
        "mlflow",
        "mlflow",
        "MLflow models serve",
        (
            "{bin}/mlflow",
            "models",
            "serve",
            "-m",
            "{work}/model",
            "--env-manager",
            "local",
            "-h",
            "127.0.0.1",
            "-p",
            "{port}",
        ),
        path="/invocations",
        body=lambda row, _: {"dataframe_records": [row]},
        prepare=("{bin}/python", "prepare.py", "{work}/model"),
    ),
    Peer("ray", "ray", "Ray Serve", ("{bin}/python", "serve.py")),
    Peer(
        "kserve",
        "kserve",
        "KServe's Python server",
        ("{bin}/python", "serve.py"),
        path="/v1/models/{model}:predict",
        body=lambda row, _: {"instances": [row]},
    ),
    Peer("litserve", "litserve", "LitServe", ("{bin}/python", "serve.py"), path="/predict"),
)
