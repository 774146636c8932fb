"""One image's digest in a values file of the chart, rewritten where it stands: comments and layout stay as they are."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import yaml
from interlock_contracts.deployment import NAMES, Image
from interlock_contracts.names import near_name

from interlock_deployment.errors import DeploymentError

IMAGES = (*get_args(Image), "trainer")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Change:
    """One change of a values file: the keys that lead to the digest, and both digests; an empty one was not there."""

    path: str
    before: str
    after: str


def parse(assignment: str) -> tuple[tuple[str, ...], str]:
    """Return the path in the values, and the digest, of ``model=sha256:...`` or ``gateway=sha256:...``.

    What `interlock images push` prints may stand for the digest: ``registry.example.com/interlock/model@sha256:...``.

    Raises:
        DeploymentError: it has another form, names no image and no service, or what follows is no digest.
    """
    name, equals, value = assignment.partition("=")
    if not equals:
        raise DeploymentError(f"{assignment!r} is no assignment", hint="for instance model=sha256:... with 64 digits")
    if name not in (*IMAGES, *NAMES):
        near = near_name(name, (*IMAGES, *NAMES))
        raise DeploymentError(
            f"there is no image and no service {name!r}" + (f"; did you mean {near!r}?" if near else ""),
            hint=f"images: {', '.join(IMAGES)}; services: {', '.join(NAMES)}",
        )
    digest = value.rpartition("@")[2]
    if not DIGEST.fullmatch(digest):
        raise DeploymentError(
            f"{value!r} is no digest: a tag can mean another image tomorrow",
            hint="sha256: and 64 hexadecimal digits in lower case, as `interlock images push` prints it",
        )
    path = ("images", name, "digest") if name in IMAGES else ("services", name, "image", "digest")
    return path, digest


def set_digest(text: str, path: Sequence[str], digest: str) -> tuple[str, Change]:
    """Return the text with the digest at ``path``, which is added where it is not there, and what has changed.

    Raises:
        DeploymentError: the text is no mapping in YAML, the path leads through something else, or the file is written
            in a way that cannot be changed without touching the rest of it.
    """
    windows = "\r\n" in text
    text = text.replace("\r\n", "\n")
    old = _load(text)
    new = _rewritten(text, path, digest)
    expected = _with(old, path, digest)
    if yaml.safe_load(new) != expected:
        raise DeploymentError(f"{'.'.join(path)} cannot be set without changing more of the file: set it by hand once")
    before: Any = old
    for key in path:
        before = before.get(key) if isinstance(before, dict) else None
    return new.replace("\n", "\r\n") if windows else new, Change(".".join(path), before or "", digest)


def _load(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DeploymentError(f"the values file is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found or {}, dict):
        raise DeploymentError("the values file must be a mapping, as the chart's values.yaml is")
    return found or {}


def _rewritten(text: str, path: Sequence[str], digest: str) -> str:
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        return text + ("" if text.endswith("\n") or not text else "\n") + _block(path, digest, 0)
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            return _instead(text, node, path[depth:], digest, ".".join(path[:depth]))
        found = _value(node, key)
        if found is None:
            return _added(text, node, path[depth:], digest)
        node = found
    if not isinstance(node, yaml.ScalarNode):
        raise DeploymentError(f"{'.'.join(path)} must be a text, and is a {node.tag.rpartition(':')[2]}")
    if node.value == digest:
        return text
    space = "" if text[node.start_mark.index - 1 : node.start_mark.index] in {" ", '"', "'"} else " "
    quote = node.style or ""
    return text[: node.start_mark.index] + f"{space}{quote}{digest}{quote}" + text[node.end_mark.index :]


def _value(node: yaml.MappingNode, key: str) -> yaml.Node | None:
    return next((value for name, value in node.value if name.value == key), None)


def _instead(text: str, node: yaml.Node, keys: Sequence[str], digest: str, where: str) -> str:
    """Put a mapping where there is none yet: ``images:`` with nothing behind it."""
    if node.tag != "tag:yaml.org,2002:null" or node.start_mark.index != node.end_mark.index:
        raise DeploymentError(f"{where} must be a mapping, and is {text[node.start_mark.index : node.end_mark.index]}")
    line_start = text.rfind("\n", 0, node.start_mark.index) + 1
    indent = len(text[line_start:]) - len(text[line_start:].lstrip(" ")) + 2
    end = _end_of_line(text, node.end_mark.index)
    return text[:end] + ("" if text[:end].endswith("\n") else "\n") + _block(keys, digest, indent) + text[end:]


def _added(text: str, node: yaml.MappingNode, keys: Sequence[str], digest: str) -> str:
    """Add keys behind the last entry of a mapping."""
    if node.flow_style:
        inside = "".join(f"{key}: {{" for key in keys[:-1]) + f"{keys[-1]}: {digest}" + "}" * (len(keys) - 1)
        brace = node.end_mark.index - 1
        comma = ", " if node.value else ""
        return text[:brace].rstrip(" ") + comma + inside + text[brace:]
    last = _last(node)
    end = last.end_mark.index if last.end_mark.column == 0 else _end_of_line(text, last.end_mark.index)
    newline = "" if text[:end].endswith("\n") else "\n"
    return text[:end] + newline + _block(keys, digest, node.start_mark.column) + text[end:]


def _last(node: yaml.Node) -> yaml.Node:
    """Return the last thing that is written in a node; a block ends for the parser where the next one begins."""
    while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return node


def _end_of_line(text: str, index: int) -> int:
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def _block(keys: Sequence[str], digest: str, indent: int) -> str:
    return "".join(_lines(keys, digest, indent))


def _lines(keys: Sequence[str], digest: str, indent: int) -> Iterator[str]:
    for depth, key in enumerate(keys):
        value = f" {digest}" if depth == len(keys) - 1 else ""
        yield f"{' ' * (indent + 2 * depth)}{key}:{value}\n"


def _with(values: Any, path: Sequence[str], digest: str) -> dict[str, Any]:
    here = dict(values or {})
    here[path[0]] = digest if len(path) == 1 else _with(here.get(path[0]), path[1:], digest)
    return here
