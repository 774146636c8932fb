"""Reads one file in a process of its own and says whether it keeps the rules of its pipeline."""

from interlock_ingest.validation.process import CheckFailedError, check
from interlock_ingest.validation.verdict import Parts, Verdict

__all__ = ["CheckFailedError", "Parts", "Verdict", "check"]
