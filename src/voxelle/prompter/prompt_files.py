"""Reading prompt files: YAML, or Markdown with YAML between `---` lines before it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import pydantic
import yaml

from voxelle.utils.exceptions import ConfigurationError

M = TypeVar("M", bound=pydantic.BaseModel)

MAX_BYTES = 262_144
"""A prompt file of over 256 KiB is no prompt; the largest that we ship has 6 KiB."""

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
    """Give a prompt file's YAML keys and the text after them (empty for a pure YAML file)."""
    text = read_text(path)
    front, body = text, ""
    if path.suffix == ".md":
        found = _FRONT.match(text)
        front, body = (found[1], found[2]) if found else ("", text)
    try:
        keys = yaml.safe_load(front)
    except yaml.YAMLError as error:
        message = f"{path}: is not valid YAML: {' '.join(str(error).split())}"
        raise ConfigurationError(message) from error
    if keys is None:
        keys = {}
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys):
        raise ConfigurationError(f"{path}: must be `key: value` lines, such as `name: Voxelle`")
    return keys, body.strip()


def validate(model: type[M], keys: Mapping[str, object], place: str) -> M:
    """Check keys; raise one `ConfigurationError` with file, key and problem of each mistake."""
    try:
        return model.model_validate(keys)
    except pydantic.ValidationError as error:
        mistakes = [
            f"{place}: {'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()
        ]
        raise ConfigurationError("; ".join(mistakes)) from error
