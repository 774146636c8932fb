"""Write the reference forest as an MLflow model: ``python prepare.py FOLDER``."""

import sys
from pathlib import Path
from typing import Any

import joblib
import mlflow.pyfunc
import mlflow.sklearn
import pandas as pd
import student


class OnnxForest(mlflow.pyfunc.PythonModel):
    """The forest in ONNX Runtime, behind MLflow's frame."""

    def load_context(self, context: Any) -> None:
        del context
        self.model = student.load("forest")

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> list[float]:
        del context, params
        return self.model.predict(model_input.to_dict("records"))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    if not folder.exists() and student.ENGINE == "sklearn":
        mlflow.sklearn.save_model(
            joblib.load(student.FOLDER / "forest.joblib"),
            folder,
            serialization_format="cloudpickle",
            pip_requirements=[],
        )
    elif not folder.exists():
        mlflow.pyfunc.save_model(folder, python_model=OnnxForest(), pip_requirements=[])
