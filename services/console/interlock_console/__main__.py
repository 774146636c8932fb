"""Run the console."""

import interlock_runtime.start  # noqa: F401 - before all other imports, which make no garbage
from interlock_runtime.process import serve
from interlock_runtime.telemetry import setup_telemetry

from interlock_console.app import SERVICE, create_app
from interlock_console.settings import ConsoleSettings

settings = ConsoleSettings()
# The console traces itself nowhere: no span file here, and `interlock up` gives it no endpoint.
setup_telemetry(SERVICE, settings.model_copy(update={"spans_dir": None}))
serve(create_app(settings), settings)
