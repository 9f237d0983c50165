"""The lists of the safety filter, as they stand in a file."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field

from voxelle.operations.filter_text.patterns import Pattern
from voxelle.operations.filter_text.words import Entry, WordList
from voxelle.utils.exceptions import ConfigurationError

MAX_BYTES = 2_000_000
"""Size of a list file: a hundred thousand words."""

Action: TypeAlias = Literal["replace", "stop"]
Line: TypeAlias = Annotated[str, Field(min_length=1, max_length=400)]


class SafetyList(BaseModel):
    """Words and patterns that are dealt with in one way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=60)]
    """What the log calls it."""

    action: Action = "replace"
    """Say the stand-in for each of them, or withhold the rest of the reply."""

    encoding: Literal["plain", "rot13"] = "plain"
    """How words and patterns are written; rot13 so that the file is no shock to open."""

    words: Annotated[tuple[Line, ...], Field(max_length=100_000)] = ()
    """`word` and its plural, `word*` with any ending, `*word*` anywhere within a word."""

    patterns: Annotated[tuple[Line, ...], Field(max_length=500)] = ()
    """For phrases and numbers; in lower case, without accents."""

    def read(self, written: str) -> str:
        """Give a word or pattern in plain letters."""
        return codecs.decode(written, "rot13") if self.encoding == "rot13" else written


class SafetyFile(BaseModel):
    """A file of lists."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lists: Annotated[tuple[SafetyList, ...], Field(max_length=100)] = ()
    allow: Annotated[tuple[Line, ...], Field(max_length=100_000)] = ()
    """Innocent words that contain a `word*` or `*word*`; `word*` allows any ending."""


class Lists:
    """All lists in use, ready to be looked for."""

    def __init__(self, files: list[SafetyFile]) -> None:
        """Read every word and pattern; raise `ConfigurationError` for the first that is wrong."""
        self.lists = [one for file in files for one in file.lists]
        entries = [
            Entry.read(one.read(word), number)
            for number, one in enumerate(self.lists)
            for word in one.words
        ]
        self.words = WordList(entries, [word for file in files for word in file.allow])
        self.patterns = [
            Pattern(one.read(written), number)
            for number, one in enumerate(self.lists)
            for written in one.patterns
        ]


def read_file(path: Path) -> SafetyFile:
    """Read a list file; raise `ConfigurationError`, which names it, if that cannot be."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"{path} is larger than {MAX_BYTES} bytes")
        with path.open(encoding="utf-8") as file:
            content = yaml.safe_load(file)
        return SafetyFile.model_validate({} if content is None else content)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigurationError(f"the safety list {path} cannot be read: {why}") from error
    except (UnicodeDecodeError, yaml.YAMLError, pydantic.ValidationError) as error:
        raise ConfigurationError(f"the safety list {path} is wrong: {error}") from error
