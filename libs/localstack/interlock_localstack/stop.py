"""Stop of a stack: everything it started, and nothing else."""

from interlock_localstack import postgres
from interlock_localstack.component import Report
from interlock_localstack.plan import SERVERS
from interlock_localstack.state_dir import StateDir
from interlock_localstack.supervision import Supervisor


def stop_stack(state_dir: StateDir, report: Report, *, wipe: bool = False) -> None:
    """Stop services, then servers, then the supervisor; with ``wipe`` remove their data."""
    if not state_dir.root.exists():
        return
    with state_dir.lock():
        supervisor = Supervisor(state_dir)
        if supervisor.is_running():
            known = set(supervisor.info())
            # Nobody needs Ray to finish, and it takes the longest: it stops together with the services.
            services = {name for name in known if name not in SERVERS} | ({"ray"} & known)
            supervisor.stop_components(services)
            supervisor.stop_components(known - services)
            report(f"stopped {', '.join(sorted(known))}" if known else "nothing was running")
        supervisor.shut_down()
        if wipe:
            postgres.wipe(state_dir)
            state_dir.wipe()
            report(f"removed data, logs and spans below {state_dir.root}")
