"""What MLflow's scoring client sees: ``python over_http.py '{"host": …, "port": …, "key": …}'``."""

import json
import sys

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

given = json.loads(sys.argv[1])
frame = pd.DataFrame({"size": [1.0, 4.0], "color": ["red", None], "more": [1, 2]})

# As against `mlflow models serve`, with another port: the gateway is told which model, and to ask nobody for a key.
same = ScoringServerClient(given["host"], given["port"])
# Any other model, and with the key: both fit into what the client makes its address of.
below = ScoringServerClient(f"interlock:{given['key']}@{given['host']}", f"{given['port']}/models/sales")
stranger = ScoringServerClient(given["host"], f"{given['port']}/models/sales")


def refused(client: ScoringServerClient, data: object, **options: object) -> str:
    """Return how the client shows a refusal."""
    try:
        client.invoke(data, **options)
    except Exception as error:  # noqa: BLE001 - it raises nothing more precise
        return str(error)
    return ""


same.wait_server_ready(timeout=30)
below.ping()
print(
    json.dumps(
        {
            "version": same.get_version(),
            "frame": same.invoke(frame),
            "records": same.invoke(frame[["size"]].to_dict(orient="records")),
            "labels": below.invoke(frame),
            "table": same.invoke(frame).get_predictions().to_dict(orient="list"),
            "params": refused(same, frame, params={"temperature": 1}),
            "array": refused(same, np.ones((2, 2))),
            "no_key": refused(stranger, frame),
        },
        default=str,
    )
)
