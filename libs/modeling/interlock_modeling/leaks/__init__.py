"""Leaks: what makes held-out rows easier to answer than new ones will be, found in a bounded sample of a file's rows.

Every search is a few sorts of the sample; none fits a model.
"""

from interlock_modeling.leaks.found import Leak
from interlock_modeling.leaks.search import find_leaks, sample_rows, target_leaks

__all__ = ["Leak", "find_leaks", "sample_rows", "target_leaks"]
