"""Exec wrapper of one component: kills the orphans of its earlier start, then becomes its process.

Run by path with ``python -I -S``, so it imports the standard library and its neighbour only by file.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import orphans  # type: ignore[import-not-found]

spec = json.loads(Path(sys.argv[1]).read_text())
orphans.terminate_marked(spec["env"][orphans.MARK], grace_seconds=0)
os.execve(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606
