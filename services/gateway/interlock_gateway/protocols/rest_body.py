"""The bodies of the protocol's REST form: JSON, and after it the tensors that the binary extension carries.

``Inference-Header-Content-Length`` says where the JSON ends; each tensor with ``binary_data_size`` among its parameters
then takes that many bytes, in the order of the JSON.
"""

from codecs import BOM_UTF8
from dataclasses import dataclass
from typing import Any

import msgspec
from interlock_contracts.json_keys import RepeatedKeyError, keys_in, refuse_repeated_keys

from interlock_gateway.inference.body import json_fault
from interlock_gateway.protocols.inference import Inferred
from interlock_gateway.protocols.tensors import Tensor, TensorError

HEADER_LENGTH = "Inference-Header-Content-Length"
Parameters = dict[str, Any] | None


class InferInput(msgspec.Struct):
    """A tensor that goes in; its data follows the JSON where ``parameters`` has its ``binary_data_size``."""

    name: str
    datatype: str
    shape: list[int]
    parameters: Parameters = None
    data: list[Any] | None = None


class WantedOutput(msgspec.Struct):
    """An output that is wanted, and how."""

    name: str
    parameters: Parameters = None


class InferRequest(msgspec.Struct):
    """The JSON of an inference request."""

    inputs: list[InferInput]
    id: str | None = None
    parameters: Parameters = None
    outputs: list[WantedOutput] | None = None


class IndexRequest(msgspec.Struct):
    """Which models are asked for: all, or those that are loaded."""

    ready: bool = False


_decoder = msgspec.json.Decoder(InferRequest)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class InferBody:
    """A request as read; ``binary`` names the wanted outputs, in order, and whether each is to come as bytes."""

    id: str | None
    tensors: list[Tensor]
    binary: dict[str, bool]
    binary_by_default: bool

    def is_binary(self, output: str) -> bool:
        """Return whether an output is to come as bytes after the JSON."""
        return self.binary.get(output, self.binary_by_default)


def read(body: bytes, header_length: str | None) -> InferBody:
    """Read a request.

    Raises:
        TensorError: it is not what the protocol calls an inference request; says in words why.
    """
    view = memoryview(body)
    place = _json_end(header_length, len(body))
    request = _decoded(body[len(BOM_UTF8) if body.startswith(BOM_UTF8) else 0 : place])
    tensors: list[Tensor] = []
    for each in request.inputs:
        size = _size(each)
        if size is None:
            tensors.append(Tensor(each.name, each.datatype, each.shape, each.data or []))
            continue
        if place + size > len(body):
            raise TensorError(f"tensor {each.name!r} takes {size} bytes, {len(body) - place} are left in the body")
        tensors.append(Tensor(each.name, each.datatype, each.shape, view[place : place + size]))
        place += size
    if place != len(body):
        raise TensorError(f"{len(body) - place} bytes after the last tensor belong to none")
    default = (request.parameters or {}).get("binary_data_output") is True
    wanted = {each.name: _wants_binary(each, default=default) for each in request.outputs or ()}
    return InferBody(request.id, tensors, wanted, default)


def only_ready(body: bytes) -> bool:
    """Return whether a request for the index asks for loaded models only; its body may be empty.

    Raises:
        TensorError: the body is something else.
    """
    if not body:
        return False
    try:
        ready = msgspec.json.decode(body, type=IndexRequest).ready
        refuse_repeated_keys(body, 1)
    except (msgspec.DecodeError, UnicodeDecodeError, RepeatedKeyError) as error:
        raise TensorError(f"not a request for the index: {error}") from error
    return ready


def _json_end(header_length: str | None, size: int) -> int:
    if header_length is None:
        return size
    if not (header_length.isascii() and header_length.isdigit()) or len(header_length) > len(str(size)):
        raise TensorError(f"{HEADER_LENGTH}: {header_length[:20]!r} is not a length within the body of {size} bytes")
    if int(header_length) > size:
        raise TensorError(f"{HEADER_LENGTH} is {header_length}, but the body has {size} bytes")
    return int(header_length)


def _decoded(text: bytes) -> InferRequest:
    try:
        request = _decoder.decode(text)
        refuse_repeated_keys(text, _keys_in(request))
    except (msgspec.ValidationError, RepeatedKeyError) as error:
        raise TensorError(f"not an inference request: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise TensorError(f"the body is not JSON: {json_fault(error, text)}") from error
    return request


def _keys_in(request: InferRequest) -> int:
    """Return how many keys a request has; what it has beside the protocol's own is not counted."""
    count = 1 + (request.id is not None) + _keys_of(request.parameters) + (request.outputs is not None)
    for tensor in request.inputs:
        count += 3 + (tensor.data is not None) + _keys_of(tensor.parameters)
    for output in request.outputs or ():
        count += 1 + _keys_of(output.parameters)
    return count


def _keys_of(parameters: Parameters) -> int:
    return 0 if parameters is None else 1 + keys_in(parameters)


def _size(tensor: InferInput) -> int | None:
    """Return how many bytes a tensor takes after the JSON; None where its data stands in the JSON."""
    parameters = tensor.parameters or {}
    if "shared_memory_region" in parameters:
        raise TensorError(f"tensor {tensor.name!r} is in shared memory, which is not offered; send its data")
    size = parameters.get("binary_data_size")
    if size is None:
        if tensor.data is None:
            raise TensorError(f"tensor {tensor.name!r} has neither data nor binary_data_size")
        return None
    if tensor.data:
        raise TensorError(f"tensor {tensor.name!r} has both data and binary_data_size")
    if type(size) is not int or size < 0:
        raise TensorError(f"tensor {tensor.name!r}: binary_data_size is no number of bytes")
    return size


def _wants_binary(output: WantedOutput, *, default: bool) -> bool:
    parameters = output.parameters or {}
    for extension in ("classification", "shared_memory_region"):
        if parameters.get(extension):
            raise TensorError(f"output {output.name!r}: {extension} is not offered")
    return bool(parameters.get("binary_data", default))


def written(model: str, request: InferBody, inferred: Inferred) -> tuple[bytes, int | None]:
    """Return a response's body, and where its JSON ends if tensors follow it as bytes.

    Its ``id`` is the client's, or without one the answer's name in the prediction log, for feedback.
    """
    tail: list[bytes] = []
    shown: list[dict[str, Any]] = []
    for output in inferred.outputs:
        tensor: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
        parameters: dict[str, Any] = dict(output.parameters)
        if request.is_binary(output.name):
            raw = output.raw()
            tail.append(raw)
            parameters["binary_data_size"] = len(raw)
        else:
            tensor["data"] = output.plain()
        if parameters:
            tensor["parameters"] = parameters
        shown.append(tensor)
    version = str(inferred.serving.version)
    name = inferred.name if request.id is None else request.id
    head: dict[str, Any] = {"id": name, "model_name": model, "model_version": version, "outputs": shown}
    if inferred.parameters:
        head["parameters"] = inferred.parameters
    text = _encoder.encode(head)
    return (b"".join([text, *tail]), len(text)) if tail else (text, None)
