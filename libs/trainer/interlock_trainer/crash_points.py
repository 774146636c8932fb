"""The trainer's share of the crash points: it knows no broker, so it does not import those of the services."""

import os


def crash_point(name: str) -> None:
    """Die here if ``INTERLOCK_CRASH_AT`` says so, as ``kill -9`` would."""
    if os.environ.get("INTERLOCK_CRASH_AT") == name:
        os._exit(137)
