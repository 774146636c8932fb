"""Routes of the home page: status from memory, and the overview from the read model."""

from datetime import UTC, datetime, timedelta

from interlock_contracts.console import OverviewView, StatusView
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from interlock_console.home import overview
from interlock_console.home.status import StatusMonitor
from interlock_console.runs import event_view, run_line

LATELY_HOURS = 24


@get("/view/status", opt={SCOPE: "read"}, sync_to_thread=False)
def read_status(status_monitor: NamedDependency[StatusMonitor]) -> StatusView:
    """Return health and traffic as measured last; answered while everything else is down."""
    return status_monitor.view()


@get("/view/overview", opt={SCOPE: "read"})
async def read_overview(database: NamedDependency[Database]) -> OverviewView:
    """Return each model's last run, runs in progress, what waits for an approval, and what failed lately."""
    since = datetime.now(UTC) - timedelta(hours=LATELY_HOURS)
    async with database.sessions() as session:
        return OverviewView(
            last_runs=[run_line(row) for row in await overview.last_runs(session)],
            in_progress=[run_line(row) for row in await overview.runs_in_progress(session)],
            waiting=[run_line(row) for row in await overview.runs_awaiting_approval(session)],
            failures=[event_view(row) for row in await overview.failures(session, since)],
            hours=LATELY_HOURS,
        )


ROUTES: list[HTTPRouteHandler] = [read_status, read_overview]
