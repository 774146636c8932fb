"""Run the gateway: worker processes behind one port, each restarted when it dies."""

import gc
import sys
from contextlib import ExitStack

import interlock_runtime.start  # noqa: F401 - before all other imports, which make no garbage
import uvicorn
from interlock_runtime.process import DRAIN_SECONDS
from interlock_runtime.telemetry import setup_telemetry

from interlock_gateway import supervisor
from interlock_gateway.protocols.grpc_port import held
from interlock_gateway.settings import GatewaySettings

if __name__ == "__main__":  # each worker imports this module again
    settings = GatewaySettings()
    setup_telemetry("gateway", settings)
    supervisor.install()
    with ExitStack() as stack:
        try:
            stack.enter_context(held(settings.host, settings.grpc_port))
        except OSError as error:
            where = f"{settings.host}:{settings.grpc_port}"
            sys.exit(f"gRPC cannot listen at {where} (INTERLOCK_GRPC_PORT): {error.strerror}")
        gc.enable()
        uvicorn.run(
            "interlock_gateway.app:create_worker",
            factory=True,
            host=settings.host,
            port=settings.port,
            http="interlock_gateway.app:http_protocol",
            workers=settings.gateway_workers,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            timeout_worker_healthcheck=30,
        )
