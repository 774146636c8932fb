"""The health check of a container: ask the service beside it whether it is ready.

Run as ``python -m interlock_runtime.probe``; ends with 0 where it is, else with 1. It imports nothing but the standard
library, for it is started anew every few seconds.
"""

import os
import sys
import urllib.error
import urllib.request

_SECONDS = 4


def main() -> int:
    """Return the exit status; what the service says it waits for goes to the standard output."""
    address = f"http://127.0.0.1:{os.environ.get('INTERLOCK_PORT') or '8000'}/health/ready"
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        sys.stdout.write(error.read(500).decode(errors="replace"))
        return 1
    except OSError as error:
        sys.stdout.write(f"{address}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
