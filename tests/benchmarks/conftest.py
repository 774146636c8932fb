"""The swaps are measured on the gateway that the tests watch them on."""

from tests.integration.conftest import around, gateway

__all__ = ["around", "gateway"]
