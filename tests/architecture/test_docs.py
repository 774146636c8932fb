"""What the documents promise is there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from interlock_cli.__main__ import app
from interlock_contracts.deployment import JOBS, NAMES, PEOPLE, POSTGRES, S3, SERVICES, services_using
from interlock_contracts.pipeline_file import parse_pipeline
from typer.main import get_command

from tests.support.services import variables

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path.parent for path in [*ROOT.glob("contracts/pyproject.toml"), *ROOT.glob("*/*/pyproject.toml")])
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *(each / "README.md" for each in PACKAGES)])
SCRIPT = ROOT / "libs/localstack/interlock_localstack/demo/publish_retrain.py"
VARIABLE = re.compile(r"INTERLOCK_[A-Z0-9_]*[A-Z0-9]")
NOT_FOR_USERS = {
    "INTERLOCK_ADMIN",
    "INTERLOCK_CODE",
    "INTERLOCK_RIGHTS",
    "INTERLOCK_PART",
    "INTERLOCK_NAME",
    "INTERLOCK_NAME_FILE",
}
"""What the local stack marks its processes with, and a placeholder in docstrings."""


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the code blocks of a page in one of the languages, indentation removed."""
    found = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [
        re.sub(f"^{space}", "", text, flags=re.MULTILINE) for space, language, text in found if language in languages
    ]


def pipelines() -> list[Any]:
    written = [(path.name, path.read_text()) for path in sorted(ROOT.glob("docs/examples/*.yaml"))]
    written += [(page.name, text) for page in PAGES for text in blocks(page, "yaml")]
    written.append(("the demo", (SCRIPT.parent / "pipeline.yaml").read_text()))
    return [pytest.param(text, id=name) for name, text in written]


@pytest.mark.parametrize("text", pipelines())
def test_every_pipeline_shown_is_one(text: str) -> None:
    """A reader who copies it has a file that applies."""
    assert parse_pipeline(text.encode()).name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_shown_exists(page: Path) -> None:
    """`interlock <command> --option` in a page means what it says."""
    commands: dict[str, Any] = getattr(get_command(app), "commands")  # noqa: B009 - typer's own click is private
    shown = "\n".join([*blocks(page, "sh", "text"), *re.findall(r"`([^`\n]+)`", page.read_text())])
    for name, rest in re.findall(r"(?<![\w/.-])(?:\.venv/bin/)?interlock ([a-z]+(?:-[a-z]+)*)([^\n|&;)]*)", shown):
        assert name in commands, f"interlock {name}"
        command = commands[name]
        if words := getattr(command, "commands", None):  # a group: keys create, keys list
            word = rest.split()[0] if rest.split() else ""
            assert not word.isalpha() or word in words, f"interlock {name} {word}"
            command = words.get(word, command)
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for option in re.findall(r"(?<=\s)--[a-z-]+", rest):
            assert option in options | {"--help"}, f"interlock {name} {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Within the repository, that is."""
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/**/*.ipynb")), ids=lambda page: page.name)
def test_a_notebook_is_committed_as_written(page: Path) -> None:
    """Without outputs, which nobody reviews and which change with every run; its links lead somewhere, too."""
    for cell in json.loads(page.read_text())["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        for target in re.findall(r"\]\(([^)#\s]+)", "".join(cell["source"])):
            assert "://" in target or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_shown_exists(page: Path) -> None:
    """The Makefile is the one list of commands."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = "\n".join([*blocks(page, "sh"), *re.findall(r"`([^`\n]+)`", page.read_text())])

    assert set(re.findall(r"^make ([a-z-]+)", shown, re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", ["invariants.md", "promises.md"])
def test_every_rule_names_a_test_that_is_there(page: str) -> None:
    """A rule without a test is a wish."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / page).read_text())
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in (ROOT / file).read_text()]

    assert named
    assert not missing


def test_the_readme_shows_the_script_as_it_is() -> None:
    """What the demo runs is what a stranger copies."""
    assert SCRIPT.read_text().strip() in [block.strip() for block in blocks(ROOT / "README.md", "python")]


def test_every_setting_is_documented_and_every_documented_one_is_read() -> None:
    """One list, with nothing missing and nothing invented."""
    read = {name for service in NAMES for name in variables(service)}
    jobs = ROOT / "libs/jobs/interlock_jobs/environment.py"
    libs = [path for name in ("cli", "client", "localstack", "trainer") for path in ROOT.glob(f"libs/{name}/**/*.py")]
    for path in [*libs, jobs]:
        read |= set(VARIABLE.findall(path.read_text()))
    documented = set(VARIABLE.findall((ROOT / "docs/configuration.md").read_text()))

    assert documented == {name.removesuffix("_FILE") for name in read} - NOT_FOR_USERS


def test_every_setting_is_documented_with_the_services_that_read_it() -> None:
    """Whoever writes a deployment by the page gives each service what it needs."""
    page = (ROOT / "docs/configuration.md").read_text()
    rows = re.findall(r"^\| `(INTERLOCK_\w+)` \| (all but )?([\w, ]+) \|[^|]*\|[^|]*\|$", page, re.MULTILINE)
    readers: dict[str, set[str]] = {}
    for service in NAMES:
        for name in variables(service):
            readers.setdefault(name, set()).add(service)
    documented = {}
    for name, but, services in rows:
        listed = {*NAMES} if services == "all" else {*services.split(", ")}
        documented[name] = {*NAMES} - listed if but else listed

    assert {name: documented.get(name) for name in readers} == readers


def test_the_recipe_for_servers_of_ones_own_names_everyones_rights() -> None:
    """Roles of the database, and prefixes of the bucket."""
    page = (ROOT / "docs/recipes/bring-your-own-servers.md").read_text()
    (passwords,) = re.findall(r"echo '({.*})'", page)
    rows = re.findall(r"^\| ([\w ]+) \| (`[^|]+) \| (`[^|]+) \|$", page, re.MULTILINE)
    written = {name: [set(re.findall(r"`(\w+)/`", prefixes)) for prefixes in rights] for name, *rights in rows}
    given = {each.name: each.prefixes for each in SERVICES if S3 in each.uses}
    given |= {"role of jobs": JOBS, "people": PEOPLE}

    assert json.loads(passwords).keys() == {*services_using(POSTGRES)}
    assert written == {name: [set(each.read), set(each.write)] for name, each in given.items()}
