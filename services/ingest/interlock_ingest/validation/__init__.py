"""Data validation: reads one file in a process of its own and checks it against the rules of its pipeline."""

from interlock_ingest.validation.process import CheckFailedError, check
from interlock_ingest.validation.result import Parts, ValidationResult

__all__ = ["CheckFailedError", "Parts", "ValidationResult", "check"]
