"""What an `MLmodel` file says, and what is refused of it."""

import re

import pytest
from interlock_contracts.mlmodel import MAX_BYTES, parse_mlmodel

HEAD = "flavors: {onnx: {data: model.onnx}}\n"


def signature(inputs: str) -> bytes:
    return f"{HEAD}signature: {{inputs: '{inputs}'}}\n".encode()


def test_a_model_has_its_file_its_columns_and_where_it_is_from() -> None:
    """As far as the file says it; an unnamed tensor has no columns."""
    said = f"{HEAD}run_id: abc\nmodel_uuid: def\nmlflow_version: 3.17.2\nutc_time_created: '2026-11-30 10:00:00'\n"
    found = parse_mlmodel(said.encode())

    assert (found.flavour, found.file, found.columns) == ("onnx", "model.onnx", None)
    assert (found.run_id, found.model_id, found.mlflow_version) == ("abc", "def", "3.17.2")
    columns = signature('[{"name": "a", "type": "double"}, {"name": "b", "type": "long"}]')
    assert parse_mlmodel(columns).columns == ["a", "b"]
    tensor = signature('[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}]')
    assert parse_mlmodel(tensor).columns is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe\xfa", "no YAML"),
        (b"a: [", "no YAML"),
        (b"!!python/object/apply:os.system ['true']", "no YAML"),
        (b"- flavors", "names no flavors"),
        (b"flavors: [onnx]", "names no flavors"),
        (b"flavors: {python_function: {loader_module: mlflow.sklearn}}", "flavors python_function: only onnx"),
        (b"flavors: {onnx: {}}", "flavors.onnx.data names no file"),
        (b"flavors: {onnx: {data: /etc/passwd}}", "a file in the folder"),
        (b"flavors: {xgboost: {data: model.pkl}}", "pickled objects"),
        (signature("{"), "signature.inputs is no JSON"),
        (signature('{"a": 1}'), "no list of columns"),
        (signature('[{"name": "a", "type": "double"}, {"name": "a", "type": "double"}]'), "names an input twice"),
        (signature('[{"name": "a", "type": "datetime"}]'), "input 'a' has the type datetime"),
        (signature('[{"name": "a", "type": "tensor", "tensor-spec": {"dtype": "str"}}]'), "a tensor of str"),
        (b" " * (MAX_BYTES + 1), "at most"),
    ],
)
def test_anything_else_is_refused_in_words(content: bytes, why: str) -> None:
    """Nothing of it is run; the text says what would be right."""
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_mlmodel(content)
