"""A version as files that need nothing of ours: an ONNX graph from cells to answers, and a program that asks it."""

from interlock_modeling.portable.folder import write_portable
from interlock_modeling.portable.onnx_model import to_onnx

__all__ = ["to_onnx", "write_portable"]
