"""Parser of ``pipeline.yaml``: every fault with its line, and nothing read otherwise than it is written.

YAML 1.1 takes ``Yes``, ``on`` and ``~`` for a boolean or null, ``01234`` for the octal 668, and of a key that stands
twice the last. Where a text is declared, each of these is a fault that says what to write instead. JSON is YAML, too.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from interlock_contracts.pipeline import Pipeline

_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"
_INTEGER = "tag:yaml.org,2002:int"
_READ_AS = {
    "tag:yaml.org,2002:bool": "{}",
    "tag:yaml.org,2002:null": "null",
    _INTEGER: "the number {}",
    "tag:yaml.org,2002:float": "the number {}",
    "tag:yaml.org,2002:timestamp": "a date",
}
_OCTAL = re.compile(r"[-+]?0[0-7_]+")

_REFUSALS = (yaml.YAMLError, ValueError, ArithmeticError, RecursionError, LookupError, AttributeError)
"""What PyYAML raises: the last three for deep nesting, ``!!bool x`` and ``!!timestamp x``."""


class NotYamlError(ValueError):
    """The bytes are no YAML (or JSON) document, or no mapping."""


class Fault(NamedTuple):
    """What is wrong at one place: the dotted path of the field, and why, with the line."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class InvalidPipelineError(ValueError):
    """The document declares no pipeline; all faults are listed, in the order of the file."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


def parse_pipeline(content: bytes) -> Pipeline:
    """Return the pipeline that a YAML or JSON document declares.

    Raises:
        NotYamlError: it is neither, or not a mapping.
        InvalidPipelineError: it declares no pipeline; all faults are listed.
    """
    try:
        loader = yaml.SafeLoader(content)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise NotYamlError("it must be a mapping with name, task, target and data")
        document = _Document(root, loader)
        faults = list(document.faults_of_keys(root, (), set()))
        declared = loader.construct_document(root)
    except _REFUSALS as error:
        raise NotYamlError(str(error)) from error
    try:
        pipeline = Pipeline.model_validate(_with_watermark(_with_role_of_time(declared)))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        faults += [document.fault_of_value(each["loc"], each["type"], each["msg"]) for each in found]
    if faults:
        raise InvalidPipelineError([fault for _, fault in sorted(faults, key=lambda each: each[0])])
    return pipeline


def _with_role_of_time(declared: dict[Any, Any]) -> dict[Any, Any]:
    """Return the declaration in which the column that decides who is newest has ``role: time``, unless it has one.

    Such a column grows beyond all that was trained on, so it is a feature by its own word only. What is stored keeps
    what it says: only a file is read like this, see decision 0142.
    """
    data = declared.get("data")
    holdout, columns = (data.get("holdout"), data.get("columns")) if isinstance(data, dict) else (None, None)
    if not isinstance(data, dict) or not isinstance(holdout, dict) or not isinstance(columns, dict):
        return declared
    newest = holdout.get("column")
    column = columns.get(newest) if holdout.get("by") == "time" and isinstance(newest, str) else None
    key = data.get("key") or ()
    in_key = newest == key or (isinstance(key, list) and newest in key)
    if not isinstance(column, dict) or "role" in column or in_key or column.get("type") != "datetime":
        return declared
    return {**declared, "data": {**data, "columns": {**columns, newest: {**column, "role": "time"}}}}


def _with_watermark(declared: dict[Any, Any]) -> dict[Any, Any]:
    """Return the declaration in which a split by time has a watermark: that of the first file, unless it names one.

    What is stored without one is of before, and goes on cutting each file by itself, see decision 0156.
    """
    data = declared.get("data")
    holdout = data.get("holdout") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(holdout, dict) or holdout.get("by") != "time":
        return declared
    watermark = holdout.get("watermark") or "first_file"
    return {**declared, "data": {**data, "holdout": {**holdout, "watermark": watermark}}}


class _Document:
    """The nodes of one document, which know their lines."""

    def __init__(self, root: yaml.MappingNode, loader: yaml.SafeLoader) -> None:
        self._root = root
        self._loader = loader
        self._lines = root.end_mark.line > root.start_mark.line

    def faults_of_keys(self, node: yaml.Node, path: tuple[str, ...], seen: set[int]) -> Iterator[tuple[int, Fault]]:
        """Yield keys that stand twice or are read as no text, and octal numbers; keys are texts afterwards."""
        if id(node) in seen:  # an alias: its anchor has been gone through
            return
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for position, each in enumerate(node.value):
                yield from self.faults_of_keys(each, (*path, str(position)), seen)
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                name = key.value if isinstance(key, yaml.ScalarNode) else "[key]"
                inner = (*path, name)
                if isinstance(key, yaml.ScalarNode) and key.tag in _READ_AS:
                    yield self._fault(key, inner, self._misread(key))
                    key.tag = _TEXT
                if key.tag == _TEXT and name in first:
                    why = f"the key stands twice, first on line {first[name]}; keep one of the two"
                    yield self._fault(key, inner, why)
                first.setdefault(name, key.start_mark.line + 1)
                yield from self.faults_of_keys(value, inner, seen)
        elif node.tag == _INTEGER and _OCTAL.fullmatch(node.value) and node.value.strip("-+0_"):
            yield self._fault(node, path, self._misread(node))
            node.tag = _TEXT

    def fault_of_value(self, loc: Sequence[int | str], kind: str, message: str) -> tuple[int, Fault]:
        """Return what pydantic found, in words that fit what the file says at that place."""
        node, whole = self._find(loc)
        path = tuple(map(str, loc)) or ("pipeline",)
        if whole and kind == "string_type" and isinstance(node, yaml.ScalarNode) and node.tag in _READ_AS:
            message = self._misread(node)
        return self._fault(node, path, message, exact=bool(loc))

    def _find(self, loc: Sequence[int | str]) -> tuple[yaml.Node, bool]:
        """Return the innermost node on the way to a place, and whether that is the place itself."""
        node: yaml.Node = self._root
        for part in loc:
            if isinstance(node, yaml.MappingNode):
                inner = next((value for key, value in reversed(node.value) if key.value == part), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                inner = node.value[part]
            else:
                inner = None
            if inner is None:
                return node, False
            node = inner
        return node, True

    def _misread(self, node: yaml.Node) -> str:
        if not node.value:
            return "nothing stands here, which YAML reads as null; write '' in quotes if you mean the empty text"
        value = self._loader.construct_object(yaml.ScalarNode(node.tag, node.value))  # not the one that is kept
        read = _READ_AS[node.tag].format(str(value).lower())
        return f"YAML reads {node.value} as {read}; write '{node.value}' in quotes"

    def _fault(self, node: yaml.Node, path: tuple[str, ...], message: str, *, exact: bool = True) -> tuple[int, Fault]:
        line = node.start_mark.line + 1
        where = f" (line {line})" if exact and self._lines else ""
        return line, Fault(".".join(path), message + where)
