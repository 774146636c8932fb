"""Log lines: JSON for machines, words on a terminal; both name the trace and the run that they belong to."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

from interlock_contracts import telemetry
from opentelemetry import trace
from opentelemetry.trace import format_span_id, format_trace_id

LogFormat = Literal["auto", "json", "text"]

CHATTY = ("aio_pika", "aiormq", "httpx", "alembic")


def setup_logs(service: str, *, level: str, form: LogFormat) -> None:
    """Log to standard error from now on; ``auto`` means words where that is a terminal, else one JSON object a line."""
    in_words = sys.stderr.isatty() if form == "auto" else form == "text"
    handler = logging.StreamHandler()
    handler.setFormatter(InWords() if in_words else AsJson(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


def about(record: logging.LogRecord) -> dict[str, str]:
    """Return what a line belongs to: ``trace_id`` and ``span_id`` of the current span, and ``run_id``.

    The run is the one that the record names (``extra={"run_id": ...}``), else the current span's.
    """
    span = trace.get_current_span()
    context = span.get_span_context()
    found: dict[str, str] = {}
    if context.is_valid and context.trace_flags.sampled:
        found |= {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}
    attributes: Any = getattr(span, "attributes", None) or {}
    run = getattr(record, "run_id", None) or attributes.get(telemetry.RUN_ID)
    return found | ({"run_id": str(run)} if run else {})


class AsJson(logging.Formatter):
    """One object a line: ``time`` (UTC), ``level``, ``logger``, ``message``, ``service``, trace and run, ``error``."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback is one string in ``error``, so that an event is always one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "service": self._service,
            **about(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class InWords(logging.Formatter):
    """A line for people, the run or the trace at its end."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return the line without its traceback."""
        found = about(record)
        names = [f"{name.removesuffix('_id')} {found[name]}" for name in ("run_id", "trace_id") if name in found]
        return super().formatMessage(record) + (f" [{', '.join(names)}]" if names else "")
