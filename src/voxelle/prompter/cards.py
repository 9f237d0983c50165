"""Character cards V1, V2 and V3, as other programs share them, become our characters.

The specifications: "Character Card V2" (malfoyslastname, 2023) and "V3" (kwaroran, 2024).
A card is somebody else's text: it is bounded, and cleaned like chat.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import pydantic
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from voxelle.prompter.character import Character, Example
from voxelle.prompter.png import SIGNATURE, read_texts
from voxelle.prompter.quoting import clean, clean_name
from voxelle.prompter.situation import Context
from voxelle.utils.exceptions import ValidationError

MAX_BYTES = 20 * 1024 * 1024
"""Cards are pictures of 0.5 to 5 MB."""

MAX_TEXT = 4 * 1024 * 1024
"""The JSON in a card; one with a large lore book has 1 MB."""

EXPRESSIONS = {
    "happy": "pleased, laughing",
    "sad": "sorry, let down",
    "angry": "annoyed, mostly in play",
    "surprised": "amazed",
    "shy": "flattered or embarrassed",
}
"""A card names no expressions: these every avatar of ours can show."""

_LINE_CHARS = 2_000
_SPEAKER = re.compile(r"^\s*(<you>|<them>)\s*:\s*", re.IGNORECASE)
_MACRO = re.compile(r"\{\{([^{}]{0,500})\}\}")
_LEGACY = re.compile(r"<(USER|BOT|CHAR)>", re.IGNORECASE)

_Text: TypeAlias = Annotated[str, Field(max_length=200_000)]
_LENIENT = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


class _Entry(BaseModel):
    model_config = _LENIENT

    name: _Text | None = None
    comment: _Text | None = None
    keys: tuple[_Text, ...] = ()
    content: _Text = ""
    enabled: bool = True


class _Book(BaseModel):
    model_config = _LENIENT

    entries: Annotated[tuple[_Entry, ...], Field(max_length=2_000)] = ()


class _Card(BaseModel):
    model_config = _LENIENT

    name: Annotated[str, Field(min_length=1, max_length=500)]
    nickname: _Text | None = None
    description: _Text = ""
    personality: _Text = ""
    scenario: _Text = ""
    first_mes: _Text = ""
    mes_example: _Text = ""
    creator_notes: _Text = ""
    system_prompt: _Text = ""
    post_history_instructions: _Text = ""
    character_book: _Book | None = None


@dataclass(frozen=True, slots=True)
class ImportedCard:
    """What a card holds, in our own form."""

    character: Character
    contexts: tuple[Context, ...]
    """The enabled entries of its lore book."""


def read_card(data: bytes, user: str = "the streamer") -> ImportedCard:
    """Read a card from a PNG or JSON file's bytes; `{{user}}` becomes `user`.

    Raises `ValidationError` with what is wrong. Takes tens of milliseconds for a large
    picture: call it in a thread.
    """
    if len(data) > MAX_BYTES:
        raise ValidationError(f"the card is larger than {MAX_BYTES // 1024 // 1024} MB")
    text = _from_picture(data) if data.startswith(SIGNATURE) else data
    card = _parse(text)
    names = _Names(clean_name(card.nickname or card.name, 60), user)
    return ImportedCard(_character(card, names), tuple(_contexts(card, names)))


def _from_picture(picture: bytes) -> bytes:
    texts = read_texts(picture, MAX_TEXT)
    coded = texts.get("ccv3") or texts.get("chara")
    if coded is None:
        raise ValidationError("the picture holds no character (no `ccv3` or `chara` text in it)")
    try:
        return base64.b64decode(b"".join(coded.split()), validate=True)
    except binascii.Error as error:
        raise ValidationError(f"the character in the picture is not base64: {error}") from error


def _parse(text: bytes) -> _Card:
    if len(text) > MAX_TEXT:
        raise ValidationError(f"the card's text is larger than {MAX_TEXT // 1024 // 1024} MB")
    try:
        card: JsonValue = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValidationError(f"the card is neither a PNG picture nor JSON: {error}") from error
    if not isinstance(card, dict):
        raise ValidationError("the card is JSON, but not an object")
    # V2 and V3 keep everything under `data`, V1 has it at the top.
    fields: Any = card.get("data", card)
    try:
        return _Card.model_validate(fields)
    except pydantic.ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'data'}: {e['msg']}" for e in error.errors()[:10]
        )
        raise ValidationError(f"the card is not in the form of V1, V2 or V3: {mistakes}") from error


@dataclass(frozen=True, slots=True)
class _Names:
    she: str
    they: str

    def fill(self, text: str) -> str:
        """Replace the macros of a text and make it harmless, line by line."""
        text = _LEGACY.sub(
            lambda found: self.they if found[1].upper() == "USER" else self.she, text
        )
        text = _MACRO.sub(self._macro, text)
        lines = [clean(line, _LINE_CHARS) for line in text.splitlines()]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def _macro(self, found: re.Match[str]) -> str:
        name, _, rest = found[1].strip().partition(":")
        simple = {"char": self.she, "user": self.they}
        if name.casefold() in simple:
            return simple[name.casefold()]
        if name.casefold() in ("random", "pick"):
            return rest.split(",")[0].strip()
        return ""  # comments, `{{original}}`, and what we have no meaning for


def _character(card: _Card, names: _Names) -> Character:
    about = [names.fill(card.description)]
    if personality := names.fill(card.personality):
        about.append(f"Personality: {personality}")
    if scenario := names.fill(card.scenario):
        about.append(f"Scenario: {scenario}")
    talks = [names.fill(card.system_prompt), names.fill(card.post_history_instructions)]
    try:
        return Character(
            name=names.she,
            summary=clean(card.creator_notes, 500),
            about="\n\n".join(filter(None, about)),
            talks="\n\n".join(filter(None, talks)),
            greeting=names.fill(card.first_mes)[:4_000],
            expressions=dict(EXPRESSIONS),
            examples=tuple(_examples(card.mes_example, names)),
        )
    except pydantic.ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValidationError(f"the card does not make a character: {mistakes}") from error


def _examples(dialogue: str, names: _Names) -> list[Example]:
    """Find the pairs of a dialogue in which `<START>` begins a new scene."""
    examples: list[Example] = []
    for scene in re.split(r"<START>", dialogue, flags=re.IGNORECASE)[:100]:
        they = ""
        for is_she, text in _turns(scene, names):
            if not is_she:
                they = text
            elif text:
                examples.append(Example(name=_example_name(names), they=they, she=text))
                they = ""
    return examples


def _turns(scene: str, names: _Names) -> list[tuple[bool, str]]:
    turns: list[tuple[bool, list[str]]] = []
    for line in scene.splitlines():
        marked = re.sub(r"\{\{user\}\}|<USER>", "<you>", line, flags=re.IGNORECASE)
        marked = re.sub(r"\{\{char\}\}|<(?:BOT|CHAR)>", "<them>", marked, flags=re.IGNORECASE)
        if re.match(rf"\s*{re.escape(names.she)}\s*:", line):
            marked = line.replace(names.she, "<them>", 1)
        if speaker := _SPEAKER.match(marked):
            turns.append((speaker[1].casefold() == "<them>", [line.partition(":")[2]]))
        elif turns:
            turns[-1][1].append(line)
    return [
        (is_she, " ".join(names.fill("\n".join(lines)).split())[:4_000]) for is_she, lines in turns
    ]


def _example_name(names: _Names) -> str:
    return "Streamer" if names.they == "the streamer" else clean_name(names.they, 60)


def _contexts(card: _Card, names: _Names) -> list[Context]:
    contexts = []
    for number, entry in enumerate(card.character_book.entries if card.character_book else ()):
        # V3 puts decorators (`@@depth 4`) in front of the text: orders to other programs.
        kept = (line for line in entry.content.splitlines() if not line.startswith("@@"))
        text = names.fill("\n".join(kept))
        if not entry.enabled or not text:
            continue
        label = entry.name or entry.comment or ", ".join(entry.keys[:3]) or f"note {number + 1}"
        keys = clean(", ".join(entry.keys), 300)
        contexts.append(Context(f"card-{number + 1}", clean_name(label, 60), keys, text))
    return contexts
