"""The local stack: real servers and the services, started, supervised and stopped from one state folder."""

from interlock_cli.stack.home import Home


def environment() -> dict[str, str]:
    """Return the ``INTERLOCK_*`` settings of the checkout's stack; empty when it was never started."""
    return Home.find().read("environment") or {}
