"""Write the reference estimators as ONNX: ``python convert.py FOLDER``, beside ``*.joblib`` and ``encoding.json``."""

import json
import sys
from pathlib import Path

import joblib
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as XgboostTensor
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType as SklearnTensor

TARGET_OPSET = 15

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    width = json.loads((folder / "encoding.json").read_text())["width"]
    for name in ("forest", "linear", "xgboost"):
        convert, tensor = (convert_xgboost, XgboostTensor) if name == "xgboost" else (convert_sklearn, SklearnTensor)
        estimator = joblib.load(folder / f"{name}.joblib")["estimator"]
        graph = convert(estimator, initial_types=[("x", tensor([None, width]))], target_opset=TARGET_OPSET)
        (folder / f"{name}.onnx").write_bytes(graph.SerializeToString())
