"""Run the monitor."""

import interlock_runtime.start  # noqa: F401 - before all other imports, which make no garbage
from interlock_runtime.process import serve
from interlock_runtime.telemetry import setup_telemetry

from interlock_monitor.app import SERVICE, create_app
from interlock_monitor.settings import MonitorSettings

settings = MonitorSettings()
setup_telemetry(SERVICE, settings)
serve(create_app(settings), settings)
