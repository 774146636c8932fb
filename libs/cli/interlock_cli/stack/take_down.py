"""Stops a stack: everything it started, and nothing else."""

from interlock_cli.stack import postgres
from interlock_cli.stack.home import Home
from interlock_cli.stack.part import Say
from interlock_cli.stack.plan import SERVERS
from interlock_cli.stack.supervision import Supervisor


def down(home: Home, say: Say, *, wipe: bool = False) -> None:
    """Stop services, then servers, then the supervisor; with ``wipe`` remove what they kept."""
    if not home.root.exists():
        return
    with home.lock():
        supervisor = Supervisor(home)
        if supervisor.running():
            known = set(supervisor.info())
            # Nobody needs Ray to finish, and it takes the longest: it stops together with the services.
            services = {name for name in known if name not in SERVERS} | ({"ray"} & known)
            supervisor.stop(services)
            supervisor.stop(known - services)
            say(f"stopped {', '.join(sorted(known))}" if known else "nothing was running")
        supervisor.end()
        if wipe:
            postgres.wipe(home)
            home.wipe()
            say(f"removed data, logs and spans below {home.root}")
