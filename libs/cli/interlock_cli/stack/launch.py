"""Starts one part for the supervisor: ends what an earlier start of it left behind, then becomes it.

Run by path with ``python -I -S``, so it imports the standard library and its neighbour only by file.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import leftovers  # type: ignore[import-not-found]

spec = json.loads(Path(sys.argv[1]).read_text())
leftovers.end(spec["env"][leftovers.MARK], patience=0)
os.execve(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606
