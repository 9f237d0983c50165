"""Reading YAML that may be wrong in every way, and remembering where each key stands.

Only plain data comes out. Everything is bounded: the file, the nesting, and the number of values,
with every use of an anchor counted, so that no few lines can grow into gigabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from voxelle.utils.exceptions import ConfigurationError
from voxelle.utils.secrets import redact

MAX_BYTES = 200_000
"""A config has about 3 kB."""

MAX_VALUES = 20_000
"""Keys and values of a file, uses of anchors counted each time."""

MAX_DEPTH = 30
"""Lists in lists; a config has five levels."""

_PROBLEM_CHARS = 300
"""Characters of what the YAML reader says, which may quote a name of any length."""

Key: TypeAlias = tuple[str | int, ...]
"""The way to a value: `("operations", 2, "rate")`."""


@dataclass(frozen=True, slots=True)
class Slip:
    """One mistake, and where it is."""

    key: Key
    sentence: str
    value: str = ""
    """The wrong value as it may be shown; empty if there is none to show."""

    line: int = 0
    """The line, if it is another one than the key's."""


@dataclass(slots=True)
class Document:
    """The data of a YAML file, and the line of every key, counted from 1."""

    data: dict[str, Any]
    lines: dict[Key, int] = field(default_factory=dict[Key, int])
    slips: list[Slip] = field(default_factory=list[Slip])
    """Mistakes in the form of the file, such as a key that stands twice."""

    def line(self, key: Key) -> int:
        """Give the line of a key, or of the nearest thing around it; 0 if it is in no line."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 0)


def read_document(path: Path) -> Document:
    """Read a YAML file; raise `ConfigurationError` with line and column if that is impossible.

    Touches the disk: call it at start, or in a thread.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(f"{path}: is larger than {MAX_BYTES // 1000} kB")
    try:
        return parse_document(raw.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}:{line}: is not UTF-8; save it as UTF-8") from error


class _ShallowLoader(yaml.SafeLoader):
    """Gives up at the first level that is too deep: PyYAML takes seconds for thousands of them."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH + 2:  # one more for the document, one for its last values
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call] # not in its stubs
            problem = f"nested too deeply: over {MAX_DEPTH} levels"
            raise yaml.composer.ComposerError(None, None, problem, mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def parse_document(text: str, name: str, example: str = "character: iris") -> Document:
    """Read YAML text as `read_document` does; `name` stands for the file in errors.

    `example` is shown if the text holds no keys and values.
    """
    try:
        loader = _ShallowLoader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = redact(str(error.problem))[:_PROBLEM_CHARS]
        raise ConfigurationError(f"{name}{place}: is not valid YAML: {problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        is_deep = isinstance(error, RecursionError)
        problem = "nested too deeply" if is_deep else redact(str(error))[:_PROBLEM_CHARS]
        raise ConfigurationError(f"{name}: is not valid YAML: {problem}") from error
    except Exception as error:  # PyYAML stumbles in many ways, and a show must outlive them all
        raise ConfigurationError(f"{name}: is not valid YAML: {type(error).__name__}") from error
    document = Document({})
    if node is None:
        return document
    data = _Builder(loader, document, name).build(node, ())
    if not isinstance(data, dict):
        raise ConfigurationError(f"{name}:1: must be keys and values, such as `{example}`")
    document.data = data
    return document


class _Builder:
    def __init__(self, loader: yaml.SafeLoader, document: Document, name: str) -> None:
        self._loader = loader
        self._document = document
        self._name = name
        self._values = 0

    def build(self, node: yaml.Node, key: Key) -> Any:
        self._values += 1
        if self._values > MAX_VALUES or len(key) > MAX_DEPTH:
            line = node.start_mark.line + 1
            raise ConfigurationError(
                f"{self._name}:{line}: holds over {MAX_VALUES} values or {MAX_DEPTH} levels"
            )
        self._document.lines.setdefault(key, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*key, index)) for index, child in enumerate(node.value)]
        return self._scalar(node, key)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> Mapping[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            name = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            place = (*key, str(name))
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
                line = key_node.start_mark.line + 1
                self._document.slips.append(Slip(place, "is no plain key", line=line))
            elif name in result:
                first = self._document.lines[place]
                line = key_node.start_mark.line + 1
                sentence = f"stands twice, first in line {first}"
                self._document.slips.append(Slip(place, sentence, line=line))
            else:
                self._document.lines[place] = key_node.start_mark.line + 1
                result[name] = self.build(value_node, place)
        return result

    def _scalar(self, node: yaml.Node, key: Key) -> object:
        try:
            return self._loader.construct_object(node)
        # PyYAML raises IndexError for `!!int ''`, KeyError for `!!bool x`, and more of the kind.
        except Exception:  # noqa: BLE001 - whatever it was, the value is the mistake
            self._document.slips.append(
                Slip(key, f"has a value that cannot be read as {node.tag.rpartition(':')[2]}")
            )
            return None
