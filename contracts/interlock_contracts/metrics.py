"""Every Prometheus metric, declared once: its name, what it counts, its labels, which services expose it.

``docs/metrics.md`` is made from this list; rules and dashboards may name nothing else. Whatever a gateway counts
has the label ``worker`` besides.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

EVERY = "every service"
BUS = "every service that consumes events"
TABLES = "every service with a database"


@dataclass(frozen=True)
class Metric:
    """One metric as it is exposed; a histogram's name is without ``_bucket``, ``_sum`` and ``_count``."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    by: str = EVERY

    @property
    def family(self) -> tuple[str, str, tuple[str, ...]]:
        """Return the arguments that prometheus_client's classes take first."""
        return self.name, self.help, self.labels


HTTP_SECONDS = Metric(
    "http_server_request_duration_seconds",
    "histogram",
    "Requests by route, from their headers to the end of their answers; the gateway's fast path is counted apart.",
    ("http_request_method", "http_route", "http_response_status_code"),
)
DEPENDENCY_UP = Metric(
    "interlock_dependency_up", "gauge", "1 where a dependency answers, as readiness checks it.", ("name",)
)

MESSAGE_TROUBLES = Metric(
    "interlock_message_troubles_total",
    "counter",
    "Messages that were not simply handled: repeated (in the inbox), retried, postponed (by an outage), dead-lettered.",
    ("queue", "outcome"),
    BUS,
)
MESSAGE_SECONDS = Metric(
    "interlock_message_seconds", "histogram", "From taking a message to the end of its handling.", ("queue",), BUS
)
MESSAGE_WAIT_SECONDS = Metric(
    "interlock_message_wait_seconds",
    "histogram",
    "From the enqueueing of an event to the start of its first handling: outbox, broker and queue together.",
    ("queue",),
    BUS,
)
QUEUE_MESSAGES = Metric(
    "interlock_queue_messages", "gauge", "Messages that wait in a queue of the service: its lag.", ("queue",), BUS
)
OUTBOX_EVENTS = Metric(
    "interlock_outbox_events", "gauge", "Events in the outbox, not yet published.", ("type",), TABLES
)
OUTBOX_AGE = Metric(
    "interlock_outbox_oldest_seconds", "gauge", "Age of the oldest event that is not published yet.", ("type",), TABLES
)

DATASETS = Metric(
    "interlock_datasets_total",
    "counter",
    "Files by their verdict, from the table: the same in every replica.",
    ("pipeline", "verdict"),
    "ingest",
)
DATASETS_WAITING = Metric(
    "interlock_datasets_waiting", "gauge", "Files without a verdict yet.", ("pipeline",), "ingest"
)
DATASETS_AGE = Metric(
    "interlock_datasets_oldest_seconds", "gauge", "Age of the oldest file without a verdict.", ("pipeline",), "ingest"
)

RUNS = Metric(
    "interlock_runs_total",
    "counter",
    "Runs that have ended, by their outcome, from the table: the same in every replica.",
    ("model", "outcome"),
    "train_dispatch",
)
RUN_SECONDS = Metric(
    "interlock_run_seconds_total",
    "counter",
    "Seconds that ended runs took from their start, by their outcome.",
    ("model", "outcome"),
    "train_dispatch",
)
RUNS_OPEN = Metric(
    "interlock_runs_open", "gauge", "Runs that are queued or running.", ("model", "state"), "train_dispatch"
)
RUNS_AGE = Metric(
    "interlock_runs_oldest_seconds",
    "gauge",
    "For how long the oldest run has been queued, or running.",
    ("model", "state"),
    "train_dispatch",
)

VERDICTS = Metric(
    "interlock_gate_verdicts_total",
    "counter",
    "Verdicts of the gate: passed or failed.",
    ("model", "verdict"),
    "evaluation_gate",
)
GATE_SECONDS = Metric(
    "interlock_gate_seconds", "histogram", "How long the gate measured a version.", ("model",), "evaluation_gate"
)

DEAD_LETTERS = Metric(
    "interlock_dead_letters", "gauge", "Dead letters that are neither replayed nor discarded.", ("queue",), "registry"
)
VERSIONS = Metric("interlock_versions", "gauge", "Versions by their stage.", ("model", "stage"), "registry")
PROMOTED_VERSION = Metric(
    "interlock_promoted_version", "gauge", "The version that should serve.", ("model",), "registry"
)
PROMOTION_SEQ = Metric(
    "interlock_promotion_seq", "gauge", "How often a version of the model was promoted.", ("model",), "registry"
)

ASYNC_PREDICTIONS = Metric(
    "interlock_later_predictions_total",
    "counter",
    "Asynchronous predictions, files aside, by how they ended.",
    ("model", "outcome"),
    "prediction",
)
ASYNC_PREDICTION_SECONDS = Metric(
    "interlock_later_prediction_seconds",
    "histogram",
    "From the request for such a prediction to its end.",
    ("model",),
    "prediction",
)
FILES_WAITING = Metric(
    "interlock_files_waiting", "gauge", "Files that are not answered yet.", ("runner",), "prediction"
)
WEBHOOKS_WAITING = Metric(
    "interlock_webhooks_waiting", "gauge", "Webhooks of ended predictions that are not delivered yet.", (), "prediction"
)

PREDICT_REQUESTS = Metric(
    "interlock_predict_requests_total",
    "counter",
    "Prediction requests by protocol and status (that of HTTP, also for gRPC); an empty model is one unknown here.",
    ("model", "protocol", "status"),
    "gateway",
)
PREDICT_VERSION_REQUESTS = Metric(
    "interlock_predict_version_requests_total",
    "counter",
    "Prediction requests of all protocols by the version chosen for them; gone a minute after only others are chosen.",
    ("model", "version", "status"),
    "gateway",
)
PREDICT_ROWS = Metric("interlock_predict_rows_total", "counter", "Rows answered.", ("model", "protocol"), "gateway")
PREDICT_SECONDS = Metric(
    "interlock_predict_seconds",
    "histogram",
    "From a prediction request's headers to its answer.",
    ("model", "protocol"),
    "gateway",
)
PREDICTED_QUANTILE = Metric(
    "interlock_predicted_quantile",
    "gauge",
    "Quantiles of the last answers: of the numbers of a regression, of the confidences of a classification.",
    ("model", "version", "quantile"),
    "gateway",
)
PREDICTED_LABELS = Metric(
    "interlock_predicted_labels_total",
    "counter",
    "Labels that were predicted, in at most 64 rows of each request.",
    ("model", "version", "label"),
    "gateway",
)
LOG_ROWS = Metric(
    "interlock_prediction_log_rows_total", "counter", "Rows in the prediction log.", ("model",), "gateway"
)
LOG_DROPPED = Metric(
    "interlock_prediction_log_dropped_total",
    "counter",
    "Rows that the prediction log dropped, as they exceeded a limit.",
    ("model",),
    "gateway",
)
SERVING_VERSION = Metric(
    "interlock_serving_version", "gauge", "The version that a worker answers with.", ("model",), "gateway"
)
SERVING_SEQ = Metric(
    "interlock_serving_promotion_seq", "gauge", "The promotion number of that version.", ("model",), "gateway"
)
KNOWN_SEQ = Metric(
    "interlock_known_promotion_seq", "gauge", "The newest promotion that a worker knows of.", ("model",), "gateway"
)
MODEL_BYTES = Metric("interlock_model_bytes", "gauge", "Memory of a loaded model.", ("model",), "gateway")
LOADS = Metric(
    "interlock_model_loads_total",
    "counter",
    "Loads by how they ended: served or failed.",
    ("model", "outcome"),
    "gateway",
)
LOAD_SECONDS = Metric(
    "interlock_model_load_seconds",
    "histogram",
    "From the start of a load to the swap, or to its failure.",
    ("model",),
    "gateway",
)

METRICS: dict[str, Metric] = {each.name: each for each in list(globals().values()) if isinstance(each, Metric)}
"""All of them by name, in the order in which they stand here."""

PAGE = """# Metrics

Made from `contracts/interlock_contracts/metrics.py` by `make contracts`; do not edit.

Every service exposes `GET /metrics` in Prometheus's text format: on its own machine without a key, else with one of the
scope `read`. `interlock status` lists the addresses. A gateway answers for all workers of its host, each under its own
label `worker`. What cannot be collected within two seconds is left out of a scrape, and `interlock_dependency_up`
shows why. How metrics are counted: [decision 0097](decisions/0097-metrics-declared-once.md); how the distribution of
predictions is kept: [0098](decisions/0098-rolling-output-statistics.md).

```sh
curl http://127.0.0.1:8000/metrics
interlock keys create prometheus --scope read   # for a Prometheus on another machine
```

In [`compose/observability`](../compose/observability) are

- the [configuration of Prometheus](../compose/observability/prometheus.yml),
- [alert rules](../compose/observability/alerts.yml), each with what to do first,
  and their [unit tests](../compose/observability/alerts_test.yml),
- a [dashboard for Grafana](../compose/observability/grafana/interlock.json), with what it needs to find Prometheus, and
  the traces in the console.

Counters that are read from a table survive a restart, and are the same in every replica of the service: take
`max by (...)` over replicas, and not the sum. `job` is what traces call `service.name`. About the process itself,
`process_*` and `python_*` are exposed as prometheus_client has them.
"""
"""The words above the table in ``docs/metrics.md``."""
