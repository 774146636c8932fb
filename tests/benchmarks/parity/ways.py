"""The ways in: each takes rows, and gives predictions [n], or probabilities [n, k]; MLflow's gives labels."""

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_contracts.refs import ModelRef
from interlock_gateway.protocols import open_inference_pb2 as pb
from interlock_modeling.signature import label_names
from numpy.typing import NDArray

from tests.support.gateway_app import KEY, Door
from tests.unit.scoring.files import job_over, result, run
from tests.unit.trainer.test_served_equals_trained import Row, Table

Floats = NDArray[np.float64]
DATATYPES = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "category": "BYTES", "datetime": "BYTES"}


class NotAnsweredError(Exception):
    """The product refuses rows that scikit-learn answers; the text is what it says of them."""


class Ways:
    """All ways to one model in a gateway; ``grpc_url`` is its second port."""

    def __init__(self, door: Door, channel: grpc.aio.Channel, ref: ModelRef, table: Table, folder: Path) -> None:
        self._door, self._channel, self._ref, self._table, self._folder = door, channel, ref, table, folder
        self._labels = [f"label {at}" for at in range(table.labels)]

    @property
    def all(self) -> dict[str, Callable[[list[Row]], Awaitable[Any]]]:
        return {
            "JSON rows": self._json,
            "Open Inference Protocol, JSON": self._tensors,
            "Open Inference Protocol, gRPC": self._grpc,
            "MLflow": self._mlflow,
            "CSV file": self._csv,
            "Parquet file": self._parquet,
        }

    async def _post(self, path: str, body: Any) -> Any:
        answer = await self._door.http.post(path, content=json.dumps(body).encode())
        if answer.status_code == 422:
            raise NotAnsweredError(answer.json()["detail"])
        assert answer.status_code == 200, answer.text[:500]
        return answer.json()

    async def _json(self, rows: list[Row]) -> Floats:
        found = await self._post(f"/models/{self._ref.model}/predict", {"rows": plain(rows)})
        if not self._labels:
            return np.array(found["predictions"], dtype=np.float64)
        return np.array([[each[label] for label in self._labels] for each in found["probabilities"]])

    async def _tensors(self, rows: list[Row]) -> Floats:
        cells = plain(rows)
        inputs = [
            {"name": name, "shape": [len(rows)], "datatype": DATATYPES[kind], "data": [row[name] for row in cells]}
            for name, kind in self._table.types.items()
        ]
        found = await self._post(f"/v2/models/{self._ref.model}/infer", {"inputs": inputs})
        outputs = {each["name"]: each for each in found["outputs"]}
        return shaped(outputs["probabilities" if self._labels else "prediction"]["data"], self._labels)

    async def _grpc(self, rows: list[Row]) -> Floats:
        inputs = [tensor(name, kind, [row[name] for row in plain(rows)]) for name, kind in self._table.types.items()]
        method: Any = self._channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            pb.ModelInferRequest.SerializeToString,
            pb.ModelInferResponse.FromString,
        )
        request = pb.ModelInferRequest(model_name=self._ref.model, inputs=inputs)
        found = await method(request, metadata=[("authorization", f"Bearer {KEY}")])
        at = [each.name for each in found.outputs].index("probabilities" if self._labels else "prediction")
        if found.raw_output_contents:
            return shaped(np.frombuffer(found.raw_output_contents[at]), self._labels)
        return shaped(list(found.outputs[at].contents.fp64_contents), self._labels)

    async def _mlflow(self, rows: list[Row]) -> Any:
        split = {"columns": list(self._table.types), "data": [list(row.values()) for row in plain(rows)]}
        found = await self._post(f"/models/{self._ref.model}/invocations", {"dataframe_split": split})
        return found["predictions"] if self._labels else np.array(found["predictions"], dtype=np.float64)

    async def _csv(self, rows: list[Row]) -> Floats:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(self._table.types)
        for row in plain(rows):
            writer.writerow(
                "" if cell is None else repr(cell) if type(cell) is float else cell for cell in row.values()
            )
        return await self._file(text.getvalue().encode(), "csv")

    async def _parquet(self, rows: list[Row]) -> Floats:
        file = io.BytesIO()
        pq.write_table(self._table.table(rows), file)
        return await self._file(file.getvalue(), "parquet")

    async def _file(self, content: bytes, form: str) -> Floats:
        columns = self._table.pipeline.data.model_dump(mode="json")["columns"]
        store = self._door.store
        number = 2 * int(self._ref.model.removeprefix("random-")) + (form == "csv")  # a job's parts are kept by it
        job = job_over(store, store.put(content), model=self._ref, number=number, format=form, columns=columns)
        found: pa.Table = result(await asyncio.to_thread(run, job, store, self._folder / form), store)
        if not self._labels:
            return np.asarray(found.column("prediction"), dtype=np.float64)
        return np.column_stack([np.asarray(found.column(f"probability_{name}")) for name in label_names(self._labels)])


def plain(rows: list[Row]) -> list[Row]:
    """Return rows as JSON has them."""
    return [
        {name: cell.isoformat() if isinstance(cell, datetime) else cell for name, cell in row.items()} for row in rows
    ]


def tensor(name: str, kind: str, cells: list[Any]) -> Any:
    """Return a tensor of gRPC, which knows no null: NaN, or the text that means one, stands for it."""
    made = {"name": name, "shape": [len(cells)]}
    if kind in {"category", "datetime"}:
        texts = [("" if cell is None else cell).encode() for cell in cells]
        return {**made, "datatype": "BYTES", "contents": {"bytes_contents": texts}}
    if kind == "integer" and None not in cells:
        return {**made, "datatype": "INT64", "contents": {"int64_contents": cells}}
    numbers = [np.nan if cell is None else float(cell) for cell in cells]
    return {**made, "datatype": "FP64", "contents": {"fp64_contents": numbers}}


def shaped(numbers: Any, labels: list[str]) -> Floats:
    found = np.asarray(numbers, dtype=np.float64)
    return found.reshape(-1, len(labels)) if labels else found
