"""Who she is: a character file from prompts/characters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field

from voxelle.prompter.prompt_files import find_file, read_parts, validate

_FROZEN = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

Line: TypeAlias = Annotated[str, Field(min_length=1, max_length=1_000)]
Prose: TypeAlias = Annotated[str, Field(max_length=60_000)]
Expression: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
"""The name of an expression, as it stands in a [tag]."""


class Example(BaseModel):
    """One exchange that shows how she talks."""

    model_config = _FROZEN

    name: Annotated[str, Field(max_length=100)] = "viewer"
    """Who says it."""

    they: Annotated[str, Field(max_length=4_000)] = ""
    """What somebody says; empty if she speaks by herself."""

    she: Annotated[str, Field(min_length=1, max_length=4_000)]
    """What she answers, with expression tags."""


class VoiceHints(BaseModel):
    """What a voice should be like; a provider takes what it understands."""

    model_config = _FROZEN

    description: Annotated[str, Field(max_length=500)] = ""
    pitch_semitones: float = Field(default=0.0, ge=-12, le=12)
    """How much higher than the voice is made."""

    speed: float = Field(default=1.0, ge=0.5, le=2.0)


class Character(BaseModel):
    """A character: who she is, how she talks, what she never does."""

    model_config = _FROZEN

    name: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\W_][\w .'\-]*$")]
    summary: Annotated[str, Field(max_length=500)] = ""
    """One sentence for people who choose a character; the model does not see it."""

    about: Prose = ""
    """Who she is."""

    talks: Prose = ""
    """How she talks."""

    likes: tuple[Line, ...] = ()
    dislikes: tuple[Line, ...] = ()
    quirks: tuple[Line, ...] = ()
    """Habits and running gags."""

    never: tuple[Line, ...] = ()
    """What she never does."""

    greeting: Annotated[str, Field(max_length=4_000)] = ""
    expressions: dict[Expression, Annotated[str, Field(max_length=300)]] = {}
    """What her face can show, and what it means."""

    examples: tuple[Example, ...] = ()
    palette: dict[str, Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]] = {}
    """Colours of the built-in avatar, as `{hair: "#7b5cff"}`."""

    voice: VoiceHints = VoiceHints()


def load_character(folder: Path, name: str) -> Character:
    """Read `folder/name.yaml` or `.md` (whose text is `about`).

    Raises `ConfigurationError` naming the file and every wrong key. Reads the disk:
    call it in a thread while the loop is busy with people.
    """
    path = find_file(folder, name, (".yaml", ".yml", ".md"))
    keys, body = read_parts(path)
    if body:
        keys = {**keys, "about": "\n\n".join(filter(None, [str(keys.get("about", "")), body]))}
    return validate(Character, keys, str(path))


def write_character(folder: Path, character: Character, file_name: str) -> Path:
    """Write a character file and give its path; an existing one is never replaced.

    Raises `FileExistsError`, other `OSError`, or `ValueError` for a name that is a path.
    """
    if not file_name or Path(file_name).name != file_name or file_name.startswith("."):
        raise ValueError(f"{file_name!r} is not a plain file name")
    keys = character.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(keys, allow_unicode=True, sort_keys=False, width=96)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{file_name}.yaml"
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    return path


def describe(character: Character) -> str:
    """Write down who she is for a language model; the offline mind reads it as well."""
    parts = [f"# You are {character.name}"]
    for heading, prose in (("", character.about), ("## How you talk", character.talks)):
        if prose:
            parts.append(f"{heading}\n{prose}".strip())
    lists = (
        ("## What you like", character.likes),
        ("## What you do not like", character.dislikes),
        ("## Your habits and running jokes", character.quirks),
        ("## What you never do", character.never),
    )
    for heading, lines in lists:
        if lines:
            parts.append("\n".join([heading, *(f"- {line}" for line in lines)]))
    if character.expressions:
        tags = [f"- [{tag}] {meaning}".rstrip() for tag, meaning in character.expressions.items()]
        parts.append("\n".join(["## Expressions your face can show", *tags]))
    if character.greeting:
        parts.append(f"## How you greet ({{user}} stands for the name)\n{character.greeting}")
    return "\n\n".join(parts)


def describe_example(example: Example, name: str) -> str:
    """Write one exchange as two lines of a dialogue."""
    asked = f"{example.name}: {' '.join(example.they.split())}\n" if example.they else ""
    return f"{asked}{name}: {' '.join(example.she.split())}"
