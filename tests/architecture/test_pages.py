"""What the console's pages are made of: small files of ours, exact files of others, and nothing from elsewhere."""

import re
from hashlib import sha256
from pathlib import Path

import pytest
from interlock_console.assets import STATIC
from interlock_console.pages import ADDRESSES

from tests.support.vendored import added, entries

OURS = sorted(
    path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".html"} and "vendor" not in path.parts
)
IMPORT = re.compile(r'(?:from|import) "(\.[^"]+)"')
PAGE = re.compile(r'\["(/[^"]*)", "(\w+)", "[^"]+"(?:, "\w+")?\]')


def named(path: Path) -> str:
    return str(path.relative_to(STATIC))


@pytest.mark.parametrize("path", OURS, ids=named)
def test_a_file_is_small_and_asks_nobody_else(path: Path) -> None:
    """Below 300 lines, and no address of another host: pages work where there is no network."""
    text = path.read_text()
    assert len(text.splitlines()) < 300
    assert set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text)) <= {"http://www.w3.org"}


@pytest.mark.parametrize("path", [each for each in OURS if each.suffix == ".js"], ids=named)
def test_what_a_script_imports_is_there(path: Path) -> None:
    """There is no build step that would notice."""
    missing = [name for name in IMPORT.findall(path.read_text()) if not (path.parent / name).is_file()]
    assert missing == []


def test_every_address_has_its_page_and_every_page_its_address() -> None:
    """The router's list and the server's are one: a link that can be sent can be opened."""
    pages = dict(PAGE.findall((STATIC / "router.js").read_text()))
    assert {name for name in pages.values() if not (STATIC / "pages" / f"{name}.js").is_file()} == set()
    served = {re.sub(r"\{[^}]+\}", ":", each) for each in ADDRESSES} - {"/enter"}
    assert {re.sub(r":\w+", ":", each) for each in pages} == served


def test_what_the_page_loads_first_is_there() -> None:
    """Style sheets and scripts that the shell names exist, and no style sheet is forgotten."""
    named_there = set(re.findall(r'"/static/([^"]+)"', (STATIC / "index.html").read_text()))
    assert {each for each in named_there if not (STATIC / each).is_file()} == set()
    assert {named(each) for each in OURS if each.suffix == ".css"} <= named_there


def test_vendored_files_are_what_their_list_says() -> None:
    """Each file of others has its exact digest and its licence beside it, and none is there without an entry."""
    for path, entry in entries():
        assert sha256(path.read_bytes()).hexdigest() == entry["sha256"], path
        assert (path.parent / entry["licence_file"]).is_file(), path
    folders = {path.parent for path, _ in entries()}
    there = {path for folder in folders for path in folder.iterdir() if path.suffix == ".js"}
    assert there == {path for path, _ in entries()}


def test_the_bill_of_materials_names_them_once() -> None:
    """However often it is written."""
    bill = added(added({"components": [{"name": "httpx", "bom-ref": "httpx"}]}))
    names = sorted(each["name"] for each in bill["components"])
    assert names == ["@observablehq/plot", "axe-core", "d3", "htm", "httpx"]
