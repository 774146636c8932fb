"""The swaps are measured on the gateway that the tests watch them on."""

from tests.integration.gateway.conftest import events, gateway

__all__ = ["events", "gateway"]
