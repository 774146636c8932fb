"""Settings of the evaluation gate."""

import os
import tempfile
from pathlib import Path

from interlock_runtime.settings import BusSettings, PeerSettings, StoreSettings, TelemetrySettings
from pydantic import Field


class GateSettings(PeerSettings, BusSettings, StoreSettings, TelemetrySettings):
    """All of the gate's settings.

    Candidates are fetched into ``cache_dir`` and tried there, before the gate itself loads them; gateways of the same
    host with the same folder need not do so again.
    """

    cache_dir: Path = Path(tempfile.gettempdir()) / f"interlock-models-{os.getuid()}"
    gate_validation_seconds: float = Field(default=60, gt=0)
