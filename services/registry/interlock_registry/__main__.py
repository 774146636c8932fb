"""Run the registry."""

from interlock_runtime.process import serve
from interlock_runtime.telemetry import setup_telemetry

from interlock_registry.app import SERVICE, create_app
from interlock_registry.settings import RegistrySettings

settings = RegistrySettings()
setup_telemetry(SERVICE, settings)
serve(create_app(settings), settings)
