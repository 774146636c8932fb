"""What was to be reached, and whether it was: each bar as a measured number and the number it is held to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.serving.store import Cell, Results

OURS = "interlock"
MODEL_SERVERS = ("bentoml", "mlserver", "mlflow", "ray", "kserve", "litserve")
FASTAPI = ("fastapi-onnx", "fastapi-async-onnx")

SERVER = "hello-uvicorn"
"""The bare greeting of the server under our predict route (decision 0043)."""

FASTEST = "hello-granian-rsgi"
"""The bare greeting of the fastest server in reach, for comparison."""

FRONT_SHARE = 0.6


@dataclass(frozen=True)
class Bar:
    """``met`` is None where the run did not measure it; ``against`` says what it was compared with."""

    what: str
    asked: str
    measured: str
    met: bool | None
    against: str = ""


def bars(results: Results) -> list[Bar]:
    """Return every bar of the serving work, in the order of its table."""
    return [*_http(results.medians()), *_swap(results.data.get("swap")), *_rest(results.data)]


def _http(cells: list[Cell]) -> Iterator[Bar]:
    found = {(cell.target, cell.connections): cell for cell in cells if cell.model in ("forest", "")}

    def best(names: Callable[[str], bool], connections: int) -> Cell | None:
        chosen = [cell for (name, at), cell in found.items() if at == connections and names(name)]
        return max(chosen, key=lambda cell: cell.per_second, default=None)

    def ratio(what: str, names: Callable[[str], bool], connections: int, asked: float) -> Bar:
        ours, theirs = found.get((OURS, connections)), best(names, connections)
        what = f"{what}, {connections} connection" + ("s" if connections > 1 else "")
        if ours is None or theirs is None:
            return Bar(what, f"≥ {asked:g}x", "not measured", None)
        times = ours.per_second / theirs.per_second
        return Bar(
            what, f"≥ {asked:g}x", f"{times:.2f}x" if times < 10 else f"{times:.0f}x", times >= asked, theirs.target
        )

    def classic(name: str) -> bool:
        return name.endswith("-sklearn")

    def server(name: str) -> bool:
        return name.endswith("-onnx") and name.startswith(MODEL_SERVERS)

    yield ratio("best peer as its users run it", classic, 64, 400)
    yield ratio("best peer as its users run it", classic, 1, 150)
    for connections in (16, 64):
        yield ratio("best model server with ONNX Runtime", server, connections, 15)
        yield ratio("MLServer with ONNX Runtime", "mlserver-onnx".__eq__, connections, 15)
    for connections, asked in ((1, 2), (16, 5), (64, 5)):
        for peer in FASTAPI:
            yield ratio(_FASTAPI_TITLES[peer], peer.__eq__, connections, asked)
    yield ratio("bare hello world of the same server", SERVER.__eq__, 64, FRONT_SHARE)
    yield ratio("bare hello world of another server", FASTEST.__eq__, 64, FRONT_SHARE)


_FASTAPI_TITLES = {
    "fastapi-onnx": "FastAPI with ONNX Runtime, as documented (`def`)",
    "fastapi-async-onnx": "FastAPI with ONNX Runtime, in the event loop (`async def`)",
}


def _swap(swap: dict[str, Any] | None) -> Iterator[Bar]:
    asked = "no error, no older answer after a newer one, no silence over 50 ms"
    for name, seen in (swap or {}).items():
        good = not seen["failed"] and not seen["older_after_newer"] and seen["longest_silence_ms"] <= 50
        told = f"{seen['failed']} errors, {seen['older_after_newer']} older, {seen['longest_silence_ms']:.0f} ms"
        yield Bar(f"{seen['swaps']} swaps under load, {name}", asked, told, good)
    if not swap:
        yield Bar("swaps under load", asked, "not measured", None)


def _rest(data: dict[str, Any]) -> Iterator[Bar]:
    asynchronous, batch = data.get("asynchronous"), data.get("batch")
    for name, title, least in (("celery-sklearn", "scikit-learn", 10), ("celery-onnx", "ONNX Runtime", 2)):
        what, asked = f"asynchronous, per second of processor time, against Celery with {title}", f"≥ {least}x"
        ways = (asynchronous or {}).get("ways", {})
        theirs = [way["per_cpu_second"] for each, way in ways.items() if each.startswith(name)]
        if OURS not in ways or not theirs:
            yield Bar(what, asked, "not measured", None)
            continue
        times = ways[OURS]["per_cpu_second"] / max(theirs)
        yield Bar(what, asked, f"{times:.1f}x", times >= least)
    yield from _events((asynchronous or {}).get("grown"))
    for kind in ("parquet", "csv"):
        what = f"batch, {kind}, time against one vectorised call"
        if batch is None:
            yield Bar(what, "≤ 1.3x", "not measured", None)
            continue
        speeds = batch["rows_per_second"][kind]
        times = speeds["limit"] / speeds["interlock"]
        yield Bar(what, "≤ 1.3x", f"{times:.2f}x", times <= 1.3)


def _events(grown: dict[str, float] | None) -> Iterator[Bar]:
    """Return the bars of events, which hold with the tables filled."""
    rate, hop = "events through one service, per second of processor time", "a hop through an idle service, median"
    if grown is None:
        yield Bar(rate, "≥ 3,000", "not measured", None)
        yield Bar(hop, "≤ 20 ms", "not measured", None)
        return
    events = 2 * grown["per_cpu_second"]
    yield Bar(rate, "≥ 3,000", f"{events:,.0f}", events >= 3000)
    yield Bar(hop, "≤ 20 ms", f"{grown['hop_ms']:.1f} ms", grown["hop_ms"] <= 20)
