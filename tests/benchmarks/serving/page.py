"""The page docs/results/serving.md, made from a results file; nothing in it is written by hand."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.benchmarks.serving import plots
from tests.benchmarks.serving.bars import OURS, bars
from tests.benchmarks.serving.store import Cell, Results

_ENGINES = {"own": "own", "sklearn": "scikit-learn", "onnx": "ONNX Runtime", "hello": "none"}
_MODELS = {"forest": "the reference forest", "xgboost": "XGBoost", "linear": "a linear model"}


def write(results: Results) -> Path:
    """Write page and plots beside the results file; return the page's path."""
    folder = results.path.parent
    drawn = plots.draw(results, folder)
    page = folder / "serving.md"
    page.write_text("\n\n".join(part for part in _parts(results, drawn) if part) + "\n")
    return page


def _parts(results: Results, drawn: list[str]) -> Iterable[str]:
    data = results.data
    yield "# Serving, measured"
    yield "<!-- Made by `make bench-serving`; changes by hand are lost. -->"
    yield _how(data)
    yield "## Bars"
    yield _bars(results)
    yield "## One row a request"
    yield _METHOD.format(**_method(data))
    cells = results.medians()
    for model in _MODELS:
        yield from _model(model, [cell for cell in cells if cell.model in (model, "")], data)
    yield "\n".join(f"![{_alternative(name)}]({name})" for name in drawn)
    yield from _sections(data)
    yield "## What was installed"
    yield _versions(data)
    yield _failures(data)


_METHOD = """Every server runs with one worker on the same machine as the load generator (wrk, one thread, kept
connections, a different row in each request so that caches see what a server's would), and answers the same fitted
model: peers with scikit-learn load its pickled pipeline and a pandas frame, as their users do; peers with ONNX Runtime
get the estimator as ONNX after an encoding in plain Python. Before a server is measured, its answers are compared with
scikit-learn's.
Ours runs with authentication, metrics, sampling and prediction log as they are by default. Numbers are medians of
{rounds} round(s) of {seconds} s or more, in which all servers take turns in another order each time; errors are sums.
Processor time is that of the server's whole process tree. Latency is what wrk saw."""


def _method(data: dict[str, Any]) -> dict[str, Any]:
    plan = data.get("plan", {})
    return {"rounds": plan.get("rounds", "?"), "seconds": plan.get("seconds", "?")}


def _how(data: dict[str, Any]) -> str:
    lines = [
        f"Measured {data.get('date')} at commit `{data.get('commit')}`, rows of {data.get('rows')}.",
        "{processor}, {cores} cores, {memory}, {system}, Python {python}.".format(**data["machine"]),
        f"Load average before each cell: {_load(data)}; much above 1, others were at work as well.",
        "Compare numbers within this page only.",
        "",
        f"Command: `{data.get('command')}`. [How to repeat it](README.md).",
    ]
    return "\n".join(lines)


def _load(data: dict[str, Any]) -> str:
    seen = sorted(cell["load_average"] for cell in data.get("cells", []))
    return f"{seen[0]:.1f} to {seen[-1]:.1f}, median {seen[len(seen) // 2]:.1f}" if seen else "unknown"


def _bars(results: Results) -> str:
    words = {True: "met", False: "**not met**", None: ""}
    titles = results.data.get("titles", {})
    rows = [
        (bar.what, bar.asked, bar.measured, titles.get(bar.against, [""])[0], words[bar.met]) for bar in bars(results)
    ]
    return _table(("against", "asked", "measured", "that was", ""), rows)


def _model(model: str, cells: list[Cell], data: dict[str, Any]) -> Iterable[str]:
    measured = [cell for cell in cells if cell.model == model]
    if not measured:
        return
    shown = cells if model == "forest" else measured
    for connections in sorted({cell.connections for cell in measured}):
        same = [cell for cell in shown if cell.connections == connections]
        ours = next((cell.per_second for cell in same if cell.target == "interlock"), None)
        plural = "s" if connections > 1 else ""
        yield f"### {_MODELS[model][0].upper()}{_MODELS[model][1:]}, {connections} connection{plural}"
        head = ("server", "engine", "requests/s", "ours is", "p50 ms", "p99 ms", "CPU µs/request", "errors")
        order = sorted(same, key=lambda cell: -cell.per_second)
        yield _table(head, [_row(cell, ours, data) for cell in order])


def _row(cell: Cell, ours: float | None, data: dict[str, Any]) -> tuple[str, ...]:
    title, engine = data["titles"][cell.target]
    times = f"{_number(ours / cell.per_second)}x" if ours and cell.target != "interlock" and cell.per_second else ""
    return (
        f"**{title}**" if engine == "own" else title,
        _ENGINES[engine],
        _number(cell.per_second),
        times,
        f"{cell.p50_ms:.2f}",
        f"{cell.p99_ms:.2f}",
        f"{cell.cpu_us:,.0f}",
        str(cell.errors),
    )


def _sections(data: dict[str, Any]) -> Iterable[str]:
    for name, title in (("hot_path", "Stages of one request"), ("swap", "The swap")):
        if name in data:
            yield f"## {title}"
            yield _tree(data[name])
    if "profile" in data:
        profile = data["profile"]
        yield "## Where the time goes"
        yield (
            f"Samples of the gateway's worker at {profile['connections']} connections on the reference forest, by the "
            "innermost Python function; what it calls in compiled code counts as its own."
        )
        yield _table(("function", "%"), [(name, f"{share:.1f}") for name, share in profile["self_per_cent"].items()])
    if "asynchronous" in data:
        yield "## Predictions that nobody waits for"
        yield data["asynchronous"]["about"]
        ways = data["asynchronous"]["ways"].values()
        rows = [(way["title"], _number(way["per_second"]), _number(way["per_cpu_second"])) for way in ways]
        yield _table(("who", "finished/s", "finished per second of processor time"), rows)
        if "grown" in data["asynchronous"]:
            yield from _events(data["asynchronous"]["ways"][OURS], data["asynchronous"]["grown"])
    if "batch" in data:
        batch = data["batch"]
        yield "## Files"
        yield (
            f"The reference forest over {batch['rows']:,} rows ({batch['loop_rows']:,} for the loop, in chunks of "
            f"{batch['chunk']:,}), from file to file, one thread for the engine. The limit reads all, calls the engine "
            "once and writes; it needs memory for the whole file, the scorer does not."
        )
        kinds = batch["rows_per_second"]
        head = ("rows/s", *kinds)
        names = {"interlock": "**Interlock**", "limit": "one vectorised call", "scikit-learn": "scikit-learn in a loop"}
        yield _table(head, [(names[way], *(_number(kinds[kind][way]) for kind in kinds)) for way in names])


def _events(empty: dict[str, float], grown: dict[str, float]) -> Iterable[str]:
    """Show asynchronous predictions as what they are to the bus: an event that comes in, and one that goes out."""
    yield "## Events"
    yield (
        "The same predictions as events of one service: each comes from the broker into the inbox, and goes through "
        "the outbox to the broker. A hop is from one request's being sent, when nothing else is to be done, to the "
        "event of its completion: inbox, engine, one transaction, outbox and broker; the median."
    )
    named = {"tables as they are after the runs above": empty, f"{grown['kept']:,} predictions more in them": grown}
    rows = [
        (name, _number(2 * each["per_second"]), _number(2 * each["per_cpu_second"]), f"{each['hop_ms']:.1f}")
        for name, each in named.items()
    ]
    yield _table(("tables", "events/s", "events per second of processor time", "a hop, ms"), rows)


def _tree(numbers: dict[str, Any], name: str = "") -> str:
    """Return nested numbers as one table, each with its path."""
    return _table(("what", "measured"), list(_leaves(numbers, name)))


def _leaves(numbers: dict[str, Any], above: str) -> Iterable[tuple[str, str]]:
    for name, value in numbers.items():
        path = f"{above}, {name}" if above else name
        if isinstance(value, dict):
            yield from _leaves(value, path)
        else:
            yield path.replace("_", " "), _number(value) if isinstance(value, float) else str(value)


def _versions(data: dict[str, Any]) -> str:
    rows = [("Interlock", ", ".join(f"{name} {version}" for name, version in data.get("versions", {}).items()))]
    rows += [
        (peer, ", ".join(f"{name} {version}" for name, version in versions.items()))
        for peer, versions in data.get("peers", {}).items()
    ]
    return _table(("environment", "versions"), rows)


def _failures(data: dict[str, Any]) -> str:
    failures = data.get("failures", [])
    if not failures:
        return ""
    lines = [f"- {each['target']}, round {each['round'] + 1}: {_one_line(each['reason'])}" for each in failures]
    return "\n".join(["## What could not be measured", "", *lines])


def _alternative(name: str) -> str:
    return name.removesuffix(".svg").replace("-", " ")


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
