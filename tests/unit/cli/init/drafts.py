"""Tables, drafts as `interlock init` writes them, and whether ingest takes the table under them."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from interlock_contracts.pipeline import Pipeline
from interlock_contracts.pipeline_file import parse_pipeline
from interlock_ingest.validation.result import ValidationResult
from interlock_ingest.validation.validate import validate

from tests.unit.cli.conftest import interlock

ROWS = 60
CITIES = ["Oslo", "Rome", "Bern"]


def csv(path: Path, columns: dict[str, list[Any]], delimiter: str = ",") -> Path:
    lines = [delimiter.join(columns), *(delimiter.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


def houses(**more: list[Any]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "city": [CITIES[n % 3] for n in range(ROWS)],
        "area": [40.5 + n * 7 % 50 for n in range(ROWS)],
        "price": [1000 + n * 37 % 500 for n in range(ROWS)],
    }
    return columns | more


def line_of(text: str, name: str) -> str:
    (line,) = [line for line in text.splitlines() if line.lstrip(" #").startswith(f"{name}:")]
    return line


def draft(data: Path, *options: str) -> tuple[str, Pipeline]:
    """Return what `interlock init` writes for a table: the text, and the pipeline that it declares."""
    with TemporaryDirectory() as folder:
        output = Path(folder) / "pipeline.yaml"
        ended = interlock("init", data, "--output", output, *options)
        assert ended.code == 0, ended.err
        text = output.read_text()
    return text, parse_pipeline(text.encode())


def checked(data: Path, pipeline: Pipeline) -> ValidationResult:
    """Return what ingest says of the table under the pipeline."""
    with TemporaryDirectory() as folder:
        return validate(data, pipeline, Path(folder))


def refusals(data: Path, pipeline: Pipeline) -> list[str]:
    """Return why ingest refuses the table."""
    return [reason.message for reason in checked(data, pipeline).reasons]
