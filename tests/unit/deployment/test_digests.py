"""A digest is written where it stands; every other byte of the values file stays."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from interlock_deployment.digests import IMAGES, parse, set_digest
from interlock_deployment.errors import DeploymentError

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
MODEL = ("images", "model", "digest")
GATEWAY = ("services", "gateway", "image", "digest")

VALUES = f"""\
# What serves in production.
s3: {{endpoint: "https://s3.example.com"}}  # ours

images:
  light:
    digest: {OLD}   # of Monday
  model: {{digest: "{OLD}"}}
  trainer:  # none yet
    digest:

services:
  gateway:
    replicas: 3

    # Two hosts.
    env:
      INTERLOCK_RATE_LIMIT: "100"  # each
  # The last line.
"""


@pytest.mark.parametrize("name", IMAGES)
def test_only_the_digest_changes(name: str) -> None:
    """Comments, quotes, spaces and blank lines around it stay, whatever style it is written in."""
    text, change = set_digest(VALUES, ("images", name, "digest"), NEW)

    assert yaml.safe_load(text)["images"][name]["digest"] == NEW
    before, after = VALUES.splitlines(), text.splitlines()
    differing = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(differing) == 1
    (old, new) = differing[0]
    assert new.replace(NEW, "") == old.replace(OLD, "") or new == f"{old} {NEW}"
    assert change.after == NEW
    assert change.before == ("" if name == "trainer" else OLD)


def test_the_same_again_changes_nothing() -> None:
    """A job that runs twice makes one commit."""
    once, _ = set_digest(VALUES, MODEL, NEW)
    twice, change = set_digest(once, MODEL, NEW)
    assert twice == once
    assert change.before == change.after == NEW


def test_a_service_gets_keys_that_are_not_there() -> None:
    """They are added behind what is there, and every line of before is still there."""
    text, _ = set_digest(VALUES, GATEWAY, NEW)

    assert yaml.safe_load(text)["services"]["gateway"] == {
        "replicas": 3,
        "env": {"INTERLOCK_RATE_LIMIT": "100"},
        "image": {"digest": NEW},
    }
    added = [f"    image:\n      digest: {NEW}\n"]
    assert text.replace(added[0], "") == VALUES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", f"images:\n  model:\n    digest: {NEW}\n"),
        ("# nothing yet", f"# nothing yet\nimages:\n  model:\n    digest: {NEW}\n"),
        ("images: {}\n", f"images: {{model: {{digest: {NEW}}}}}\n"),
        ("images:\nhosts: {}\n", f"images:\n  model:\n    digest: {NEW}\nhosts: {{}}\n"),
        ("images:  # of ours\n", f"images:  # of ours\n  model:\n    digest: {NEW}\n"),
        ("hosts:\n  gateway: a.b", f"hosts:\n  gateway: a.b\nimages:\n  model:\n    digest: {NEW}\n"),
        ("a: |\n  text\n\nb: 1\n", f"a: |\n  text\n\nb: 1\nimages:\n  model:\n    digest: {NEW}\n"),
        ("b: 1\na: |\n  text\n", f"b: 1\na: |\n  text\nimages:\n  model:\n    digest: {NEW}\n"),
        ("b: 1\r\nc: 2\r\n", f"b: 1\r\nc: 2\r\nimages:\r\n  model:\r\n    digest: {NEW}\r\n"),
    ],
)
def test_a_file_without_the_keys_gets_them(text: str, expected: str) -> None:
    """In the style of what is there, at the end."""
    assert set_digest(text, MODEL, NEW)[0] == expected


_words = st.text("abc", min_size=1, max_size=4)
_trees = st.recursive(_words | st.integers() | st.none(), lambda each: st.dictionaries(_words, each, max_size=3))


@given(
    st.dictionaries(_words | st.sampled_from(["images", "services"]), _trees, max_size=4),
    st.sampled_from([None, True, False]),
)
def test_any_file_is_changed_in_this_one_place_or_refused(values: dict[str, object], flow: bool | None) -> None:
    """Whatever a person has written there, and in whatever style."""
    text = yaml.safe_dump(values, default_flow_style=flow)
    try:
        changed, _ = set_digest(text, MODEL, NEW)
    except DeploymentError as error:
        assert "must be a mapping" in error.message  # noqa: PT017
        return
    found = yaml.safe_load(changed)
    assert found["images"]["model"]["digest"] == NEW
    assert {key: value for key, value in found.items() if key != "images"} == {
        key: value for key, value in values.items() if key != "images"
    }
    assert set_digest(changed, MODEL, NEW)[0] == changed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "must be a mapping, as"),
        ("images: [light]\n", "images must be a mapping, and is [light]"),
        ("images: {model: m}\n", "images.model must be a mapping, and is m"),
        ("images: {model: {digest: [x]}}\n", "images.model.digest must be a text, and is a seq"),
        ("images: [\n", "is no YAML"),
        ("a: &x {digest: b}\nimages: {model: *x}\n", "set it by hand once"),
    ],
)
def test_what_cannot_be_changed_is_said(text: str, said: str) -> None:
    """With the place in the file, and what stands there."""
    with pytest.raises(DeploymentError) as raised:
        set_digest(text, MODEL, NEW)
    assert said in raised.value.message


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("model", "is no assignment"),
        ("modle=" + NEW, "did you mean 'model'?"),
        ("model=latest", "is no digest"),
        ("model=sha256:abc", "is no digest"),
        ("model=" + NEW.upper(), "is no digest"),
    ],
)
def test_only_digests_of_what_there_is_are_taken(assignment: str, said: str) -> None:
    """A tag, a part of a digest and a misspelt name are refused."""
    with pytest.raises(DeploymentError) as raised:
        parse(assignment)
    assert said in raised.value.message


def test_what_push_prints_is_taken() -> None:
    """The name before the digest is passed over."""
    assert parse(f"model=registry.example.com/interlock/model@{NEW}") == (MODEL, NEW)
    assert parse(f"gateway={NEW}") == (GATEWAY, NEW)
