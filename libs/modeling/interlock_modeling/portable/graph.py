"""An ONNX graph as it grows: constants, nodes, and names that nothing else has."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

ML = "ai.onnx.ml"
"""The domain of ONNX's operators for trees and texts."""

OPSETS = {"": 18, ML: 5}
IR_VERSION = 10


class Graph:
    """Nodes and constants; each call returns the name of what it adds. ``taken`` are the names of the inputs."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.opsets = dict(OPSETS)
        self._taken = set(taken)

    def name(self, wanted: str) -> str:
        """Return a name that is free; it is taken from then on."""
        while wanted in self._taken:
            wanted += "_"
        self._taken.add(wanted)
        return wanted

    def constant(self, values: NDArray[Any]) -> str:
        """Add a tensor; texts are an array of objects."""
        name = self.name(f"constant_{len(self.constants)}")
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def numbers(self, values: Any) -> str:
        """Add a tensor of float64."""
        return self.constant(np.asarray(values, dtype=np.float64))

    def integers(self, values: Any) -> str:
        """Add a tensor of int64."""
        return self.constant(np.asarray(values, dtype=np.int64))

    def add(self, operator: str, *inputs: str, domain: str = "", output: str | None = None, **attributes: Any) -> str:
        """Add a node with one output."""
        output = output or self.name(f"{operator}_{len(self.nodes)}")
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def sort(self, tensor: str, count: int) -> tuple[str, str]:
        """Add what sorts rows of ``count`` numbers, the least first: the numbers, and where each was."""
        found = [self.name(f"{name}_{len(self.nodes)}") for name in ("sorted", "order")]
        self.nodes.append(helper.make_node("TopK", [tensor, self.integers([count])], found, axis=1, largest=0))
        return found[0], found[1]

    def cast(self, tensor: str, to: int) -> str:
        """Add a cast to one of ONNX's types of tensors."""
        return self.add("Cast", tensor, to=to)

    def embed(self, model: onnx.ModelProto, tensor: str, output: str) -> str:
        """Add the whole of another graph, which takes ``tensor`` as its only input; return its ``output``.

        Raises:
            ValueError: it has functions of its own.
        """
        if model.functions:
            raise ValueError("the model's graph has functions of its own, which are not exported")
        for opset in model.opset_import:
            domain = "" if opset.domain == "ai.onnx" else opset.domain
            if not domain:
                self.opsets[domain] = opset.version  # what this graph uses itself is the same in all of these
        prefix = self.name("engine") + "/"
        inner = onnx.compose.add_prefix(model, prefix).graph
        taken = prefix + model.graph.input[0].name
        for node in inner.node:
            node.input[:] = [tensor if name == taken else name for name in node.input]
        self.nodes += inner.node
        self.constants += inner.initializer
        return prefix + output

    def model(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> onnx.ModelProto:
        """Return the checked model; inputs and outputs are ``ValueInfoProto``."""
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.constants)
        imports = [helper.make_opsetid(domain, version) for domain, version in self.opsets.items()]
        model: onnx.ModelProto = helper.make_model(
            graph, opset_imports=imports, ir_version=IR_VERSION, producer_name="interlock"
        )
        onnx.checker.check_model(model)
        return model
