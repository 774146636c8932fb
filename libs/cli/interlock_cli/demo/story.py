"""`interlock demo`: a file goes in, a proven model serves, a better one takes over, and no request fails."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.resources import files
from pathlib import Path
from uuid import UUID

import typer
from interlock_contracts.http import ModelView, PipelineView, RunView, ServingView

from interlock_cli import console, opening, rollouts, watching
from interlock_cli.demo import flights
from interlock_cli.demo.asking import Asking
from interlock_cli.demo.clock import Clock
from interlock_cli.gateway import Gateway, UnreachableError, connect, environment
from interlock_cli.stack.home import find_root
from interlock_cli.terminal import Failure, Json, Terminal, answering

ROW = {"month": 2, "day": 14, "hour": 9, "carrier": "B6", "origin": "JFK", "dest": "LAX", "distance": 2475}
RUN_SECONDS = 1800
SWAP_SECONDS = 180
"""What takes a moment on an idle machine; the demo shows how long it took, and gives up only where nothing comes."""
ASKED_ANEW = 8
STEPS = 9


def demo(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Run the whole story on this machine, on real data; it needs one or two minutes.

    Two months of New York's flights go in, one after the other. Each time a model is trained on Ray, measured on rows
    it has never seen, promoted and served; the second one takes over while a client keeps asking. The local stack
    stays up afterwards; `interlock down` stops it.

    Example: interlock demo
    """
    with answering(as_json=as_json) as terminal:
        Story(ctx, terminal).tell()


class Story:
    """One run of the demo, under a pipeline name of its own."""

    def __init__(self, ctx: typer.Context, terminal: Terminal) -> None:
        self._root = ctx.find_root()
        self._terminal = terminal
        self._clock = Clock(terminal, STEPS)
        self._folder = _short(find_root() / "demo")

    def tell(self) -> None:
        """Tell the story from the first step to the last.

        Raises:
            Failure: a step went otherwise than it must; the text says which, and why.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._clock.step("Start the local stack: RabbitMQ, Postgres, S3, Ray and the seven services"):
            self._do("up")
        with connect() as gateway:
            with self._clock.step("Declare a pipeline"):
                name = self._apply(gateway)
            with self._clock.step("January goes in: checked, profiled, split"):
                self._do("ingest", name, str(self._month(1)))
            with self._clock.step("Train on Ray, pass the gate, serve version 1"):
                self._do("retrain", name, "--reason", "the first month", "--wait")
                self._serving(gateway, name, 1)
            with self._clock.step("Ask it, over REST"):
                self._predict(gateway, name)
            with Asking(gateway.url, environment()["INTERLOCK_API_KEY"], name, ROW) as asking:
                with self._clock.step("February goes in, while a client keeps asking"):
                    self._do("ingest", name, str(self._month(2)))
                with self._clock.step("A plain AMQP client asks for a training; version 2 takes over"):
                    run = self._retrain_from_outside(gateway, name)
                    serving = self._serving(gateway, name, 2)
                    _wait(lambda: asking.all_at(2), SWAP_SECONDS, "not every connection is answered by version 2")
            with self._clock.step("Count what the client saw"):
                self._judge(asking, serving)
            with self._clock.step("A file with a bad column is refused"):
                self._refuse(name)
        self._end(name, run, gateway.url)

    def _do(self, *arguments: str, expected: int = 0) -> None:
        """Run one of our own commands as a user would."""
        self._terminal.say(f"$ interlock {shlex.join(arguments)}", style="cyan")
        with redirect_stdout(sys.stderr if self._terminal.as_json else sys.stdout):
            code = self._root.command.main(list(arguments), prog_name="interlock", standalone_mode=False) or 0
        if code != expected:
            raise Failure(f"`interlock {arguments[0]}` ended with exit code {code}, not {expected}; see above")

    def _apply(self, gateway: Gateway) -> str:
        taken = [re.fullmatch(r"flights-(\d+)", each.name) for each in gateway.list(PipelineView, "/pipelines")]
        name = f"flights-{max((int(match[1]) for match in taken if match), default=0) + 1}"
        spec = files("interlock_cli.demo").joinpath("pipeline.yaml").read_text()
        path = self._folder / f"{name}.yaml"
        path.write_text(spec.replace("name: flights\n", f"name: {name}\n"))
        self._do("apply", str(path))
        return name

    def _month(self, number: int) -> Path:
        path = self._folder / f"2013-{number:02}.csv"
        if not path.exists():
            part = path.with_suffix(".part")
            flights.cut_month(number, part)
            part.replace(path)
        return path

    def _predict(self, gateway: Gateway, name: str) -> None:
        body = json.dumps({"rows": [ROW]})
        self._terminal.say(
            f"$ curl {gateway.url}/models/{name}/predict -H \"Authorization: Bearer $INTERLOCK_API_KEY\" -d '{body}'",
            style="cyan",
        )
        answer = gateway.send(f"/models/{name}/predict", {"rows": [ROW]})
        self._terminal.say(json.dumps(answer))

    def _serving(self, gateway: Gateway, name: str, version: int) -> ServingView:
        serving = gateway.read(ModelView, f"/models/{name}").serving
        if serving is None or serving.ref.version != version:
            found = f"version {serving.ref.version}" if serving else "nothing"
            raise Failure(f"version {version} of {name} must serve, but {found} does")
        _wait(lambda: _answers(gateway, name, version), SWAP_SECONDS, f"not every worker answers with {version}")
        return serving

    def _retrain_from_outside(self, gateway: Gateway, name: str) -> UUID:
        script = Path(__file__).parent / "publish_retrain.py"
        self._terminal.say(f"$ python {_short(script)} {name}", style="cyan")
        known = {run.run_id for run in gateway.list(RunView, "/runs", model=name)}
        subprocess.run([sys.executable, str(script), name], check=True, env=os.environ | environment())
        new: list[RunView] = []

        def arrived() -> bool:
            new[:] = [run for run in gateway.list(RunView, "/runs", model=name) if run.run_id not in known]
            return bool(new)

        _wait(arrived, SWAP_SECONDS, "the published event has made no run")
        run = new[0].run_id
        self._terminal.say(f"$ interlock watch {run}", style="cyan")
        ended = watching.follow(gateway, self._terminal, run, timeout=RUN_SECONDS)
        if ended.state != "succeeded":
            raise Failure(f"version 2 must be promoted, but its run {ended.state}: {ended.reason}")
        rollouts.after(gateway, self._terminal, name, 2)
        return run

    def _judge(self, asking: Asking, serving: ServingView) -> None:
        if asking.failures:
            raise Failure(f"{len(asking.failures)} of {asking.total} requests failed; the first: {asking.failures[0]}")
        if not asking.forward:
            raise Failure("a connection was answered by version 1 after version 2")
        wait = (asking.first_of(2) - serving.promoted_at.timestamp()) * 1000
        self._terminal.say(
            f"{asking.total:,} requests during the training and the swap: 0 failed, and versions only went up.\n"
            f"From the promotion to version 2's first answer: {wait:.0f} ms",
            style="green",
        )

    def _refuse(self, name: str) -> None:
        bad = self._folder / "2013-03-bad.csv"
        flights.spoil(self._month(3), bad)
        self._do("ingest", name, str(bad), expected=1)
        self._terminal.say("refused, as it must be; what serves has not changed", style="green")

    def _end(self, name: str, run: UUID, url: str) -> None:
        self._clock.table()
        known = environment()
        with console.connect() as connection:
            address = opening.ticket(connection, f"/runs/{run}")
        lines = [
            "\nDone; the stack goes on. See what happened, in a browser:",
            f"  {address}",
            "  (it signs you in, once, within ten minutes; `interlock open` makes another)",
            "Or look around:",
            f"  interlock trace {run}",
            f"  interlock report {name}/2",
            f"  interlock events --model {name}",
            f"  interlock predict {name} --row '{json.dumps(ROW)}'",
            "  interlock status",
            "Addresses:",
            f"  console   {known['INTERLOCK_CONSOLE_URL']}",
            f"  gateway   {url}   (OpenAPI: {url}/schema)",
            f"  Ray       {known.get('INTERLOCK_RAY_ADDRESS', '-')}   (its token is in `interlock env`)",
            f"  files     {self._folder}",
            "Stop everything: interlock down (or make down)",
        ]
        self._terminal.say("\n".join(lines))
        steps = [{"step": what, "seconds": round(seconds, 2)} for what, seconds in self._clock.taken]
        told = {"model": name, "run_id": str(run), "console": address}
        self._terminal.result({**told, "seconds": self._clock.total, "steps": steps})


def _short(path: Path) -> Path:
    """Return the path as a person here would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _answers(gateway: Gateway, name: str, version: int) -> bool:
    """Return whether several requests, each over a connection of its own, so perhaps to another worker, all agree."""
    body, fresh = {"rows": [ROW]}, {"Connection": "close"}
    try:
        return all(
            gateway.ask("POST", f"/models/{name}/predict", json=body, headers=fresh).json()["version"] == version
            for _ in range(ASKED_ANEW)
        )
    except UnreachableError:
        return False


def _wait(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"{otherwise} after {seconds:g} s", hint="`interlock logs gateway` may say why")
        time.sleep(0.02)
