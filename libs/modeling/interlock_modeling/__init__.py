"""Shared by training, gate and serving: signature, encoder, engines, split, metrics."""

from interlock_modeling.engines import ModelFormatError
from interlock_modeling.metrics import METRICS
from interlock_modeling.rows import InvalidRowsError
from interlock_modeling.served import Model, ModelDescription

__all__ = ["METRICS", "InvalidRowsError", "Model", "ModelDescription", "ModelFormatError"]
