"""`interlock demo`: train, serve and retrain on real data; the swap must not fail a single request."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from uuid import UUID

import httpx
from interlock_contracts.http import ModelView, PipelineView, RunView, ServingView

from interlock_localstack.demo import flights
from interlock_localstack.demo.command_line import CommandLine, Gateway
from interlock_localstack.demo.load import TIMEOUT, LoadGenerator
from interlock_localstack.demo.step_timer import StepTimer
from interlock_localstack.errors import StackError
from interlock_localstack.state_dir import find_root

ROW = {"month": 2, "day": 14, "hour": 9, "carrier": "B6", "origin": "JFK", "dest": "LAX", "distance": 2475}
RUN_SECONDS = 1800
SWAP_SECONDS = 180
"""Timeout of what takes a moment on an idle machine; the demo prints how long it took."""
FRESH_CONNECTIONS = 8
"""Requests over new connections that must all be answered by the promoted version."""
STEPS = 9


class Story:
    """One run of the demo, with a pipeline of its own."""

    def __init__(self, command_line: CommandLine) -> None:
        self._command_line = command_line
        self._output = command_line.output
        self._timer = StepTimer(command_line.output, STEPS)
        self._folder = _short(find_root() / "demo")

    def run(self) -> None:
        """Run all steps.

        Raises:
            StackError: a step did not end as it must; the text names it, and the reason.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._timer.step("Start the local stack: RabbitMQ, Postgres, S3, Ray and the services"):
            self._do("up")
        with self._command_line.connect() as gateway:
            with self._timer.step("Apply a pipeline"):
                name = self._apply(gateway)
            with self._timer.step("Ingest January: validate, profile, split"):
                self._do("ingest", name, str(self._month(1)))
            with self._timer.step("Train on Ray, pass the gate, serve version 1"):
                self._do("retrain", name, "--reason", "the first month", "--wait")
                self._check_serving(gateway, name, 1)
            with self._timer.step("Predict over REST"):
                self._predict(gateway, name)
            with LoadGenerator(gateway.url, self._key, name, ROW) as load:
                with self._timer.step("Ingest February, while a client keeps sending predictions"):
                    self._do("ingest", name, str(self._month(2)))
                with self._timer.step("Retrain by an event from a plain AMQP client; version 2 is promoted"):
                    run = self._retrain_by_event(gateway, name)
                    serving = self._check_serving(gateway, name, 2)
                    _wait(
                        lambda: load.all_answered_by(2), SWAP_SECONDS, "not every connection is answered by version 2"
                    )
            with self._timer.step("Check the client's answers"):
                self._check_load(load, serving)
            with self._timer.step("Reject a file with an invalid column"):
                self._check_rejection(name)
        self._summarize(name, run, gateway.url)

    @property
    def _key(self) -> str:
        return self._command_line.settings()["INTERLOCK_API_KEY"]

    def _do(self, *arguments: str, expected: int = 0) -> None:
        """Run one of our own commands as a user would."""
        self._output.echo(f"$ interlock {shlex.join(arguments)}", style="cyan")
        code = self._command_line.run(*arguments)
        if code != expected:
            raise StackError(f"`interlock {arguments[0]}` ended with exit code {code}, not {expected}; see above")

    def _apply(self, gateway: Gateway) -> str:
        taken = [re.fullmatch(r"flights-(\d+)", each.name) for each in gateway.list(PipelineView, "/pipelines")]
        name = f"flights-{max((int(match[1]) for match in taken if match), default=0) + 1}"
        spec = files("interlock_localstack.demo").joinpath("pipeline.yaml").read_text()
        path = self._folder / f"{name}.yaml"
        path.write_text(spec.replace("name: flights\n", f"name: {name}\n"))
        self._do("apply", str(path))
        return name

    def _month(self, number: int) -> Path:
        path = self._folder / f"2013-{number:02}.csv"
        if not path.exists():
            part = path.with_suffix(".part")
            flights.extract_month(number, part)
            part.replace(path)
        return path

    def _predict(self, gateway: Gateway, name: str) -> None:
        body = json.dumps({"rows": [ROW]})
        self._output.echo(
            f"$ curl {gateway.url}/models/{name}/predict -H \"Authorization: Bearer $INTERLOCK_API_KEY\" -d '{body}'",
            style="cyan",
        )
        answer = gateway.post(f"/models/{name}/predict", {"rows": [ROW]})
        self._output.echo(json.dumps(answer))

    def _check_serving(self, gateway: Gateway, name: str, version: int) -> ServingView:
        serving = gateway.get(ModelView, f"/models/{name}").serving
        if serving is None or serving.ref.version != version:
            found = f"version {serving.ref.version}" if serving else "nothing"
            raise StackError(f"version {version} of {name} must serve, but {found} does")
        url, key = gateway.url, self._key
        _wait(lambda: _all_answer(url, key, name, version), SWAP_SECONDS, f"not every worker answers with {version}")
        return serving

    def _retrain_by_event(self, gateway: Gateway, name: str) -> UUID:
        script = Path(__file__).parent / "publish_retrain.py"
        self._output.echo(f"$ python {_short(script)} {name}", style="cyan")
        known = {run.run_id for run in gateway.list(RunView, "/runs", model=name)}
        environment = os.environ | self._command_line.settings()
        subprocess.run([sys.executable, str(script), name], check=True, env=environment)
        new: list[RunView] = []

        def arrived() -> bool:
            new[:] = [run for run in gateway.list(RunView, "/runs", model=name) if run.run_id not in known]
            return bool(new)

        _wait(arrived, SWAP_SECONDS, "the published event has started no run")
        run = new[0].run_id
        self._output.echo(f"$ interlock watch {run}", style="cyan")
        ended = self._command_line.watch(run, timeout=RUN_SECONDS)
        if ended.state != "succeeded":
            raise StackError(f"version 2 must be promoted, but its run {ended.state}: {ended.reason}")
        self._command_line.watch_rollout(name, 2)
        return run

    def _check_load(self, load: LoadGenerator, serving: ServingView) -> None:
        if load.failures:
            raise StackError(f"{len(load.failures)} of {load.total} requests failed; the first: {load.failures[0]}")
        if not load.monotonic:
            raise StackError("a connection was answered by version 1 after version 2")
        wait = (load.first_answer_of(2) - serving.promoted_at.timestamp()) * 1000
        self._output.echo(
            f"{load.total:,} requests during the training and the swap: 0 failed, and versions only went up.\n"
            f"From the promotion to version 2's first answer: {wait:.0f} ms",
            style="green",
        )

    def _check_rejection(self, name: str) -> None:
        bad = self._folder / "2013-03-bad.csv"
        flights.corrupt(self._month(3), bad)
        self._do("ingest", name, str(bad), expected=1)
        self._output.echo("rejected, as expected; the serving version has not changed", style="green")

    def _summarize(self, name: str, run: UUID, url: str) -> None:
        self._timer.table()
        known = self._command_line.settings()
        address = self._command_line.console_page(f"/runs/{run}")
        lines = [
            "\nDone; the stack keeps running. See the run in a browser:",
            f"  {address}",
            "  (signs you in, once, within ten minutes; `interlock open` prints another address)",
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
        self._output.echo("\n".join(lines))
        steps = [{"step": what, "seconds": round(seconds, 2)} for what, seconds in self._timer.durations]
        document = {"model": name, "run_id": str(run), "console": address}
        self._output.result({**document, "seconds": self._timer.total, "steps": steps})


def _short(path: Path) -> Path:
    """Return the path relative to the current folder where it lies inside."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _all_answer(url: str, key: str, name: str, version: int) -> bool:
    """Return whether ``version`` answers on each of several new connections, which may reach different workers."""
    headers = {"Authorization": f"Bearer {key}"}
    for _ in range(FRESH_CONNECTIONS):
        try:
            answer = httpx.post(f"{url}/models/{name}/predict", json={"rows": [ROW]}, headers=headers, timeout=TIMEOUT)
        except httpx.TransportError:
            return False
        if answer.status_code in (502, 503, 504):
            return False
        if not answer.is_success:
            raise StackError(f"{answer.status_code} {answer.text[:200]}")
        if answer.json()["version"] != version:
            return False
    return True


def _wait(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(f"{otherwise} after {seconds:g} s", hint="`interlock logs gateway` may show the reason")
        time.sleep(0.02)
