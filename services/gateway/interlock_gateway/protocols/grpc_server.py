"""The Open Inference Protocol over gRPC: the same answers on a port of its own, in every worker."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
import numpy as np
from google.protobuf.descriptor import MethodDescriptor
from interlock_runtime.access import Access, Scope
from interlock_runtime.http import SCOPE, require
from interlock_runtime.process import DRAIN_SECONDS
from interlock_runtime.token_bucket import TokenBuckets
from litestar.exceptions import HTTPException

from interlock_gateway.domain import BODY_LIMIT
from interlock_gateway.protocols import inference
from interlock_gateway.protocols import open_inference_pb2 as pb
from interlock_gateway.protocols.inference import Inference
from interlock_gateway.protocols.outputs import Output
from interlock_gateway.protocols.tensors import BYTES, NUMERIC, Tensor, TensorError

Context = grpc.aio.ServicerContext[Any, Any]
Method = Callable[[Any, Context], Awaitable[Any]]

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    410: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_CONTENTS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}
"""Where a tensor's values are when they do not come raw; 16-bit floats always do."""


def serving_grpc(
    inferring: Inference, access: Access, host: str, port: int | None, rates: TokenBuckets | None = None
) -> Callable[[], AbstractAsyncContextManager[None]]:
    """Return a lifespan that serves the protocol while it lasts; without a ``port`` it does nothing.

    The workers of a host share the port: the system spreads connections over them. On the way out, calls in hand
    finish first.
    """

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        if port is None:
            yield
            return
        limits = [("grpc.max_receive_message_length", BODY_LIMIT), ("grpc.so_reuseport", 1)]
        server = grpc.aio.server(options=limits)
        methods = {each.name: _handler(each, _Answers(inferring), access, rates) for each in _SERVICE.methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE.full_name, methods),))
        server.add_insecure_port(f"{host}:{port}")
        await server.start()
        try:
            yield
        finally:
            await server.stop(DRAIN_SECONDS)

    return lifespan


_SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
_SCOPES: dict[str, Scope | None] = {
    "ServerLive": None,
    "ServerReady": None,
    "ServerMetadata": "predict",
    "ModelReady": "predict",
    "ModelMetadata": "predict",
    "ModelInfer": "predict",
    "RepositoryIndex": "predict",
    "RepositoryModelLoad": "admin",
    "RepositoryModelUnload": "admin",
}
"""What each call asks for; None is what probes ask, without a key. Where a call is missing, nothing starts."""


def _handler(
    described: MethodDescriptor, answers: "_Answers", access: Access, rates: TokenBuckets | None
) -> "grpc.RpcMethodHandler[Any, Any]":
    method: Method = getattr(answers, re.sub(r"(?<=.)(?=[A-Z])", "_", described.name).lower())
    scope = _SCOPES[described.name]

    async def answer(request: Any, context: Context) -> Any:
        caller = await access.admit_or_refresh(_authorization(context)) if scope else None
        if scope and caller is None:
            detail = "send the metadata 'authorization: Bearer <key>'"
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, detail)
        if rates is not None and caller is not None:
            if wait := rates.wait(caller.name):
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"too many requests; wait {wait:.1f} s")
            rates.take(caller.name)
        try:
            if scope:
                require({SCOPE: scope}, caller)
            return await method(request, context)
        except HTTPException as error:
            await context.abort(_CODES.get(error.status_code, grpc.StatusCode.INTERNAL), error.detail)
        except (ConnectionError, TimeoutError) as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"a dependency is down, try again: {error}")

    request, response = (getattr(pb, each.name) for each in (described.input_type, described.output_type))
    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=request.FromString, response_serializer=response.SerializeToString
    )


def _authorization(context: Context) -> bytes:
    for name, value in context.invocation_metadata() or ():
        if name == "authorization":
            return value if isinstance(value, bytes) else value.encode()
    return b""


class _Answers:
    """The protocol's calls, each named as in its definition."""

    def __init__(self, inferring: Inference) -> None:
        self._inferring = inferring

    async def server_live(self, _: pb.ServerLiveRequest, __: Context) -> pb.ServerLiveResponse:
        return pb.ServerLiveResponse(live=True)

    async def server_ready(self, _: pb.ServerReadyRequest, __: Context) -> pb.ServerReadyResponse:
        return pb.ServerReadyResponse(ready=await self._inferring.ready())

    async def model_ready(self, request: pb.ModelReadyRequest, _: Context) -> pb.ModelReadyResponse:
        try:
            await self._inferring.champion(request.name, request.version)
        except HTTPException:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=True)

    async def server_metadata(self, _: pb.ServerMetadataRequest, __: Context) -> pb.ServerMetadataResponse:
        return pb.ServerMetadataResponse(
            name=inference.SERVER, version=inference.server_version(), extensions=inference.EXTENSIONS
        )

    async def model_metadata(self, request: pb.ModelMetadataRequest, _: Context) -> pb.ModelMetadataResponse:
        champion = await self._inferring.champion(request.name, request.version)
        info = inference.described(request.name, champion.version, champion.model.signature)
        tensor = pb.ModelMetadataResponse.TensorMetadata
        return pb.ModelMetadataResponse(
            name=info.name,
            versions=info.versions,
            platform=info.platform,
            inputs=[tensor(name=each.name, datatype=each.datatype, shape=each.shape) for each in info.inputs],
            outputs=[tensor(name=each.name, datatype=each.datatype, shape=each.shape) for each in info.outputs],
        )

    async def model_infer(self, request: pb.ModelInferRequest, _: Context) -> pb.ModelInferResponse:
        name, version = request.model_name, request.model_version
        with self._inferring.counting(name, "grpc") as counting:
            wanted = [_wanted(each) for each in request.outputs]
            inferred = await self._inferring.infer(
                name, version, _tensors(request), wanted, request_id=request.id, counting=counting
            )
        version = str(inferred.serving.version)
        answer = pb.ModelInferResponse(
            model_name=request.model_name, model_version=version, id=request.id or inferred.name
        )
        raw = bool(request.raw_input_contents) or request.parameters["binary_data_output"].bool_param
        for key, text in inferred.parameters.items():
            answer.parameters[key].string_param = text
        for output in inferred.outputs:
            _add(answer, output, raw=raw)
        return answer

    async def repository_index(self, request: pb.RepositoryIndexRequest, _: Context) -> pb.RepositoryIndexResponse:
        entries = self._inferring.index(ready=request.ready)
        entry = pb.RepositoryIndexResponse.ModelIndex
        models = [entry(name=e.name, version=e.version, state=e.state, reason=e.reason) for e in entries]
        return pb.RepositoryIndexResponse(models=models)

    async def repository_model_load(
        self, request: pb.RepositoryModelLoadRequest, _: Context
    ) -> pb.RepositoryModelLoadResponse:
        await self._inferring.load(request.model_name)
        return pb.RepositoryModelLoadResponse()

    async def repository_model_unload(
        self, request: pb.RepositoryModelUnloadRequest, _: Context
    ) -> pb.RepositoryModelUnloadResponse:
        await self._inferring.unload(request.model_name)
        return pb.RepositoryModelUnloadResponse()


def _tensors(request: pb.ModelInferRequest) -> Sequence[Tensor]:
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise TensorError(f"{len(request.inputs)} input tensors, but {len(raw)} raw_input_contents")
    return [_tensor(each, raw[place] if raw else None) for place, each in enumerate(request.inputs)]


def _tensor(given: pb.ModelInferRequest.InferInputTensor, raw: bytes | None) -> Tensor:
    if "shared_memory_region" in given.parameters:
        raise TensorError(f"tensor {given.name!r} is in shared memory, which is not offered; send its data")
    if raw is not None:
        return Tensor(given.name, given.datatype, given.shape, memoryview(raw))
    field = _CONTENTS.get(given.datatype)
    if field is None:
        raise TensorError(f"tensor {given.name!r} of type {given.datatype[:20]!r} has no contents; send it raw")
    values = list(getattr(given.contents, field))
    try:
        data = values if given.datatype == BYTES else np.array(values, NUMERIC[given.datatype])
    except OverflowError:
        raise TensorError(f"tensor {given.name!r} holds a number that is no {given.datatype}") from None
    return Tensor(given.name, given.datatype, given.shape, data)


def _wanted(output: pb.ModelInferRequest.InferRequestedOutputTensor) -> str:
    for extension in ("classification", "shared_memory_region"):
        if extension in output.parameters:
            raise TensorError(f"output {output.name!r}: {extension} is not offered")
    return output.name


def _add(answer: pb.ModelInferResponse, output: Output, *, raw: bool) -> None:
    tensor = answer.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
    for name, value in output.parameters.items():
        tensor.parameters[name].string_param = value
    if raw:
        answer.raw_output_contents.append(output.raw())
        return
    values = output.plain()
    contents = [text.encode() for text in values] if output.datatype == BYTES else values
    getattr(tensor.contents, _CONTENTS[output.datatype]).extend(contents)
