"""A pytest plugin: the clock of this process is ahead, as that of a process which starts later."""

import time

AHEAD_SECONDS = 1000.0

_now = time.time
time.time = lambda: _now() + AHEAD_SECONDS
