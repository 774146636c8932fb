"""What docs/protocols.md shows is what a reader sees."""

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.environments import make_ready, shown_by
from tests.support.gateway_app import KEY
from tests.support.gateway_process import Gateway

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

PAGE = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text()
EXAMPLES = re.findall(r"```(python|sh)\n((?:(?!```).)*)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_every_protocol_has_an_example() -> None:
    """The page shows at least one for each, so none of the tests below is there for nothing."""
    shown = " ".join(code for _, code, _ in EXAMPLES)

    assert len(EXAMPLES) == 6
    for part in ("/v2/models", "tritonclient.http", "tritonclient.grpc", "kserve", "scoring_server", "/invocations"):
        assert part in shown


@pytest.mark.parametrize(("language", "code", "printed"), EXAMPLES)
async def test_an_example_prints_what_the_page_says(gateway: Gateway, language: str, code: str, printed: str) -> None:
    """Copied as it stands, after `interlock env`."""
    where = {"INTERLOCK_GATEWAY_URL": gateway.url, "INTERLOCK_GRPC_URL": gateway.grpc, "INTERLOCK_API_KEY": KEY}

    def run() -> str:
        if language == "sh":
            return subprocess.run(["bash", "-c", code], env=where, capture_output=True, text=True, check=True).stdout
        client = code.splitlines()[0].removeprefix("# ")
        make_ready(client)
        return shown_by(client, code, **where)

    assert (await asyncio.to_thread(run)).strip() == printed.strip()
