"""Makes the topology, as an admin: ``INTERLOCK_AMQP_URL=amqp://admin:... python -m interlock_messaging``.

With ``--rights`` it makes nothing, and prints commands that give every service a user with only its own permissions.
"""

import asyncio
import os
import sys

from interlock_contracts import permissions

from interlock_messaging import topology


def main() -> None:
    """Do what the arguments ask for."""
    if sys.argv[1:] == ["--rights"]:
        sys.stdout.writelines(f"{command}\n" for command in permissions.commands())
    else:
        asyncio.run(topology.declare(os.environ["INTERLOCK_AMQP_URL"]))


if __name__ == "__main__":
    main()
