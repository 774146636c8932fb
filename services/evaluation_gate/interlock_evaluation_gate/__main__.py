"""Run the evaluation gate."""

import interlock_runtime.start  # noqa: F401 - before all other imports, which make no garbage
from interlock_runtime.process import serve
from interlock_runtime.telemetry import setup_telemetry

from interlock_evaluation_gate.app import SERVICE, create_app
from interlock_evaluation_gate.settings import GateSettings

settings = GateSettings()
setup_telemetry(SERVICE, settings)
serve(create_app(settings), settings)
