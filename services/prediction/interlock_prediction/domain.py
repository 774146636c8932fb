"""What prediction decides: which states are final, and how they may follow each other."""

from interlock_contracts.predictions import PredictionState

ENDED: frozenset[PredictionState] = frozenset({"completed", "failed", "cancelled", "expired"})
"""Nothing changes in these, but for a completed one's result, which expires."""
