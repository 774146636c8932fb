"""Ask an exported graph with ONNX Runtime alone, as its README says: tensors in, answers out."""

import json
import sys

import numpy as np
import onnxruntime

given = json.loads(sys.argv[1])
session = onnxruntime.InferenceSession(f"{given['folder']}/model.onnx", providers=["CPUExecutionProvider"])
signature = json.loads(session.get_modelmeta().custom_metadata_map["interlock.signature"])
tensors = {}
for column in signature["inputs"]:
    cells = [row[column["name"]] for row in given["rows"]]
    if column["tensor"] == "double":
        tensor = np.array([np.nan if cell is None else float(cell) for cell in cells])
    elif column["tensor"] == "int64":
        missing = column["missing"]
        tensor = np.array([missing if cell is None else int(np.datetime64(cell, "us").astype(int)) for cell in cells])
    else:
        tensor = np.array([column["missing"] if cell is None else cell for cell in cells], dtype=object)
    tensors[column["name"]] = tensor[:, None]
outputs = signature["outputs"]
found = session.run(list(outputs.values()), tensors)
print(json.dumps({name: values.tolist() for name, values in zip(outputs, found, strict=True)}))
