"""Reads CSV, JSON Lines and Parquet as declared, in a stream; what does not fit is told, never guessed."""

from interlock_tables.findings import Cause, Findings, UnreadableError
from interlock_tables.reading import read_rows
from interlock_tables.typed import TypedRows

__all__ = ["Cause", "Findings", "TypedRows", "UnreadableError", "read_rows"]
