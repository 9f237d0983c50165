"""Reading prompt files: YAML, or Markdown with YAML between `---` lines before it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import pydantic

from voxelle.utils.document import parse_document
from voxelle.utils.exceptions import ConfigurationError
from voxelle.utils.secrets import redact

M = TypeVar("M", bound=pydantic.BaseModel)

MAX_BYTES = 262_144
"""A prompt file of over 256 KiB is no prompt; the largest that we ship has 6 KiB."""

MOST_MISTAKES = 20
"""Mistakes of one file that are told at once: more than anybody mends in one go."""

_LINE_CHARS = 500
"""Characters of one mistake, which may hold a key of any length."""

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)(.*)\Z", re.DOTALL)
_NAME = re.compile(r"[\w][\w .\-]{0,80}")


def find_file(folder: Path, name: str, suffixes: tuple[str, ...]) -> Path:
    """Find `folder/name` with one of the suffixes; raise `ConfigurationError` naming the others."""
    if _NAME.fullmatch(name):
        for suffix in suffixes:
            if (path := folder / f"{name}{suffix}").is_file():
                return path
    there = sorted(p.stem for p in folder.glob("*") if p.suffix in suffixes)
    known = ", ".join(there) or "none"
    raise ConfigurationError(
        f"there is no {folder.name}/{name} ({' or '.join(suffixes)}) in {folder}; known: {known}"
    )


def read_text(path: Path) -> str:
    """Read a file as UTF-8; raise `ConfigurationError` if it cannot be read or is too large."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"{path}: is larger than {MAX_BYTES // 1024} KiB; shorten it")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        message = f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8"
        raise ConfigurationError(message) from error


def read_parts(path: Path) -> tuple[Mapping[str, object], str]:
    """Give a prompt file's YAML keys and the text after them (empty for a pure YAML file).

    Raises `ConfigurationError` for every file that is no plain YAML, with the line if it is known.
    """
    text = read_text(path)
    front, body = text, ""
    if path.suffix == ".md":
        found = _FRONT.match(text)
        # The line feed stands for the first `---`, so that lines are counted as in the file.
        front, body = ("\n" + found[1], found[2]) if found else ("", text)
    document = parse_document(front, str(path), example="name: Voxelle")
    _report(
        f"{path}:{slip.line or document.line(slip.key)}: "
        f"{'.'.join(map(str, slip.key))}: {slip.sentence}"
        for slip in document.slips
    )
    return document.data, body.strip()


def validate(model: type[M], keys: Mapping[str, object], place: str) -> M:
    """Check keys; raise one `ConfigurationError` with file, key and problem of each mistake.

    It names the first `MOST_MISTAKES` and counts the rest.
    """
    try:
        return model.model_validate(keys)
    except pydantic.ValidationError as error:
        _report(
            f"{place}: {'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}"
            for e in error.errors(include_url=False, include_input=False)
        )
        raise  # every failure of a model has a mistake, so this cannot be reached


def _report(mistakes: Iterable[str]) -> None:
    told = [redact(mistake) for mistake in mistakes]
    if not told:
        return
    lines = [
        line if len(line) <= _LINE_CHARS else f"{line[: _LINE_CHARS - 3]}..."
        for line in told[:MOST_MISTAKES]
    ]
    if more := len(told) - len(lines):
        lines.append(f"and {more:,} more")
    raise ConfigurationError("; ".join(lines))
