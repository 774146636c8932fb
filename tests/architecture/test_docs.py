"""What the documents promise is there."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from interlock_cli.__main__ import app
from interlock_contracts.pipeline import Pipeline
from interlock_runtime.settings import Settings
from typer.main import get_command

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
    assert Pipeline.model_validate(yaml.safe_load(text)).name


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
    read = set()
    for service in (path.name for path in (ROOT / "services").iterdir() if (path / "pyproject.toml").exists()):
        module = importlib.import_module(f"interlock_{service}.settings")
        classes = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Settings)]
        read |= {f"INTERLOCK_{name.upper()}" for each in classes for name in each.model_fields}
    jobs = ROOT / "libs/artifacts/interlock_artifacts/environment.py"
    libs = [path for name in ("cli", "localstack", "trainer") for path in ROOT.glob(f"libs/{name}/**/*.py")]
    for path in [*libs, jobs]:
        read |= set(VARIABLE.findall(path.read_text()))
    documented = set(VARIABLE.findall((ROOT / "docs/configuration.md").read_text()))

    assert documented == {name.removesuffix("_FILE") for name in read} - NOT_FOR_USERS
