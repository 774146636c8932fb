"""The demo, as `make demo` runs it."""

import json
import os
import subprocess
import sys
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


def test_the_demo_tells_its_whole_story(stack: dict[str, str]) -> None:
    """A better model takes over while a client asks; it exits 0 only where no request failed and versions went up.

    The address that it prints opens the run and its trace in a browser.
    """
    done = subprocess.run(
        [sys.executable, "-m", "interlock_cli", "demo", "--json"],
        env={**os.environ, "INTERLOCK_HOME": stack["INTERLOCK_HOME"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert len(told["steps"]) == 9
    _look(told["console"], told["run_id"])
    print(f"\ndemo {told['model']}: {told['seconds']:.1f} s")


def _look(address: str, run: str) -> None:
    """Come in as a browser does that is given the address, and follow it to the run's trace."""
    asked = urlsplit(address)
    with httpx.Client(
        base_url=f"{asked.scheme}://{asked.netloc}", headers={"Origin": f"{asked.scheme}://{asked.netloc}"}
    ) as browser:
        assert browser.get(address).is_success
        ticket = parse_qs(asked.query)
        assert ticket["to"] == [f"/runs/{run}"]
        assert browser.post("/session/enter", json={"ticket": ticket["ticket"][0]}).is_success
        seen = browser.get(f"/view/runs/{run}").json()
        names: set[str] = set()
        deadline = time.monotonic() + 30
        while "swap" not in names and time.monotonic() < deadline:
            found = browser.get(f"/view/traces/{seen['trace_id']}")
            names = {span["name"] for span in found.json()["spans"]} if found.is_success else names

    assert [lane["lane"] for lane in seen["lanes"] if lane["steps"]][-1] == "swap"
    assert "swap" in names
