"""`interlock init`: a pipeline file from a table."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from interlock_contracts.pipeline_file import InvalidPipelineError, parse_pipeline

from interlock_cli.terminal import CommandError, Json, Terminal, command_terminal

if TYPE_CHECKING:
    from interlock_cli.init.draft import Draft
    from interlock_cli.init.facts import Facts

_NAME_LENGTH = 63
_EXTRA = ("interlock_tables", "pyarrow", "numpy")
"""What the extra `init` brings along."""


def init(
    data: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet.", exists=True, dir_okay=False, readable=True)],
    *,
    target: Annotated[str | None, typer.Option(help="The column to predict; asked for on a terminal.")] = None,
    model: Annotated[str | None, typer.Option(help="The pipeline's name; by default the file's.")] = None,
    output: Annotated[Path, typer.Option(help="Where to write.", dir_okay=False)] = Path("pipeline.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Draft a pipeline file from a table: types, values, null words, delimiter, target, key, with comments.

    No stack is needed. At most the first 100,000 rows are read.

    Example: interlock init students.csv --target math_score
    """
    with command_terminal(as_json=as_json) as terminal:
        if output.exists() and not force:
            raise CommandError(
                f"{output} is there already", hint="write elsewhere with --output, or replace it with --force"
            )
        draft = _draft(data, target, model or _name(data), terminal)
        text = draft.text()
        try:
            pipeline = parse_pipeline(text.encode())
        except InvalidPipelineError as error:  # for instance a name that no model can have
            raise CommandError(f"no pipeline can be made of this: {error}") from error
        output.write_text(text, encoding="utf-8")
        _print(terminal, draft, output)
        terminal.result(
            {
                "file": str(output),
                "rows_read": draft.table.rows,
                "all_rows": draft.table.whole,
                "left_out": draft.left_out,
                "leaks": draft.leaks,
                "spec": pipeline,
            }
        )


def _draft(data: Path, target: str | None, model: str, terminal: Terminal) -> "Draft":
    try:
        from interlock_cli.init.draft import Draft  # noqa: PLC0415 - the readers of tables are an extra
        from interlock_cli.init.facts import facts_of  # noqa: PLC0415
        from interlock_cli.init.table import read_table  # noqa: PLC0415
        from interlock_cli.init.target import leaks, named_target, task_of  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise CommandError("`interlock init` needs the readers of tables: install interlock-cli[init]") from error
    table = read_table(data)
    facts = facts_of(table)
    why = "named by --target"
    if target is None:
        target, why = _choose(facts, terminal)
    chosen = named_target(facts, target)
    task, why_task = task_of(chosen, table.rows)
    draft = Draft(data.name, model, table, facts, chosen, why, task, why_task)
    if not draft.features:
        raise CommandError(
            f"no column of {data} is left to learn {target!r} from", hint="; ".join(draft.left_out.values())
        )
    draft.leaks.update(leaks(chosen, task, (facts[name] for name in draft.features), table.rows))
    return draft


def _choose(facts: "dict[str, Facts]", terminal: Terminal) -> tuple[str, str]:
    """Ask for the target where somebody can answer; else take the likeliest."""
    from interlock_cli.init.target import likely_target  # noqa: PLC0415 - the readers of tables are an extra

    likely = likely_target(facts)
    if terminal.live and sys.stdin.isatty():
        terminal.echo("columns: " + ", ".join(facts))
        return typer.prompt("which column is to be predicted", default=likely and likely[0]), "as you said"
    if likely is None:
        raise CommandError("no column looks like a target", hint="name it with --target")
    return likely


def _name(data: Path) -> str:
    """Return a name for the pipeline that looks like the file's."""
    name = re.sub(r"[^a-z0-9]+", "-", data.name.lower().partition(".")[0])[:_NAME_LENGTH].strip("-")
    return name or "model"


def _print(terminal: Terminal, draft: "Draft", output: Path) -> None:
    rows = f"{draft.table.rows:,} rows" if draft.table.whole else f"the first {draft.table.rows:,} rows"
    terminal.echo(
        f"{output} drafted from {rows}: {draft.task} of {draft.target.name!r} from {len(draft.features)} features"
    )
    if draft.why_target.startswith("a guess"):
        terminal.echo(f"target {draft.target.name!r} is {draft.why_target}; name another with --target")
    for hint in draft.table.hints:
        terminal.echo(hint, style="yellow")
    if draft.key is not None:
        terminal.echo(f"key: {draft.key}")
    for name, why in draft.left_out.items():
        terminal.echo(f"left out: {name}: {why}")
    for name, why in draft.leaks.items():
        terminal.echo(f"{name}: {why}", style="yellow")
    terminal.echo(f"next: read {output}, then interlock apply {output}", style="dim")
