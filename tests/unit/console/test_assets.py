"""Files of the pages as they are sent: joined, addressed by their content, compressed."""

import gzip
import re

import httpx
import pytest
from interlock_console import assets, pages
from interlock_console.assets import CORE, PLOTS, STYLES, current, join
from litestar import Litestar
from litestar.plugins.problem_details import ProblemDetailsPlugin

IMPORTS = re.compile(r'(?:href|src)="/static/([^"]+)"')


@pytest.fixture
def http() -> httpx.AsyncClient:
    app = Litestar(pages.ROUTES, plugins=[ProblemDetailsPlugin()], logging_config=None)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console")  # type: ignore[arg-type]


def test_a_module_becomes_a_function_that_says_what_it_exports() -> None:
    """Names are taken from others as they were imported; getters serve modules that need each other."""
    text = (
        'import { a, b as c } from "../x.js";\nimport "./y.js";\n'
        "export const one = a;\nexport default function Two() {}\nexport async function three() {}\n"
        "const page = () => import(`./pages/${c}.js`);\n"
    )
    assert join("ui/m.js", text) == (
        'define("ui/m.js", ($need, $load, $exports) => {\n'
        "$exports({ get one() { return one; }, get default() { return Two; }, get three() { return three; } });\n"
        'const { a, b: c } = $need("x.js");\n$need("ui/y.js");\n'
        "const one = a;\nfunction Two() {}\nasync function three() {}\n"
        "const page = () => $load(`./pages/${c}.js`);\n});\n"
    )


def test_every_module_is_in_one_bundle_and_nothing_else_is_imported() -> None:
    """A form of import or export that is not understood would stay there, and break every page."""
    made = current()
    core, plots = made.contents[CORE].decode(), made.contents[PLOTS].decode()
    modules = {name for name in made.contents if assets.is_module(name)} - {CORE, PLOTS}
    defined = re.findall(r'^define\("([^"]+)"', core + plots, re.MULTILINE)
    assert sorted(defined) == sorted(modules)
    left = [line for line in (core + plots).splitlines() if re.match(r"(import|export)\b", line)]
    assert left == [
        'import * as preact from "./vendor/preact.js";',
        "export const define = (name, factory) => { factories[name] = factory; };",
        'import "./vendor/d3.js";',
        'import "./vendor/plot.js";',
        'import { define } from "./console.js";',
    ]
    wanted = set(re.findall(r'\$need\("([^"]+)"\)', core))
    assert wanted <= {*re.findall(r'^define\("([^"]+)"', core, re.MULTILINE), "vendor/preact.js"}
    assert 'define("charts.js"' in plots


async def test_a_page_asks_for_few_files_and_keeps_them_for_ever(http: httpx.AsyncClient) -> None:
    """All addresses of the page have the version; the page itself is asked for anew."""
    page = await http.get("/")
    assert page.headers["cache-control"] == "no-cache"
    named = IMPORTS.findall(page.text)
    assert [each.partition("/")[0] for each in named] == [current().version] * 5
    for each in named:
        answer = await http.get(f"/static/{each}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert (await http.get(f"/static/{CORE}")).headers["cache-control"] == "no-cache"
    assert (await http.get(f"/static/{'0' * 16}/{CORE}")).status_code == 404


async def test_what_is_large_is_sent_as_gzip_to_who_takes_it(http: httpx.AsyncClient) -> None:
    """The same bytes once unpacked, under a tag of their own."""
    plain = await http.get(f"/static/{STYLES}", headers={"Accept-Encoding": "br"})
    async with http.stream("GET", f"/static/{STYLES}", headers={"Accept-Encoding": "gzip, br"}) as packed:
        raw = b"".join([chunk async for chunk in packed.aiter_raw()])
    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 3
    assert packed.headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("*", True),
        ("gzip;q=0, *", False),
        ("br", False),
        ("", False),
    ],
)
def test_gzip_is_sent_to_who_accepts_it(header: str, *, takes: bool) -> None:
    """As RFC 9110 reads the header."""
    assert pages.accepts_gzip(header) == takes
