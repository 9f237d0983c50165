"""What the offline mind knows at the moment it is to answer: all of it is in the messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from voxelle.messages import Kind, Message
from voxelle.operations.t2t.offline.lines import AGO, plain

_NAME = re.compile(r"^# You are (.+)$", re.MULTILINE)
_SECTION = re.compile(r"^##? +(.+)\n((?:(?!##? ).*\n?)*)", re.MULTILINE)
_TAG = re.compile(r"^- \[([a-z][a-z0-9_-]*)\]", re.MULTILINE)
_CLOCK = re.compile(r"It is (\w+), (\d{1,2} \w+ \d{4}), (\d\d:\d\d)\.")
_ADDRESSED = r"^(?:(?:hey|hi|ok|okay|yo|hello|so|and)[ ,]+)?@?{name}\b[\s,:!.]*"
_DECORATION = re.compile(r"[^\w .'\-]+")

MOST_CHARS = 600
"""Characters of a remark that are looked at: patterns on more would cost time for nothing."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the instructions tell about the character."""

    name: str
    tags: frozenset[str] | None
    likes: tuple[str, ...]
    dislikes: tuple[str, ...]
    greeting: str
    examples: tuple[tuple[str, str], ...]
    """Pairs of what somebody says and what she answers."""

    people: str
    date: str
    time: str


@lru_cache(64)
def read_sheet(instructions: str, name: str) -> Sheet:
    """Find in the system message what `prompter.character.describe` wrote there."""
    found = _NAME.search(instructions)
    name = name or (found[1].strip() if found else "") or "Voxelle"
    sections = {head.strip().casefold(): body for head, body in _SECTION.findall(instructions)}
    tags = frozenset(_TAG.findall(sections.get("expressions your face can show", "")))
    clock = _CLOCK.search(instructions)
    here = re.search(r"^People who are here: (.+)\.$", instructions, re.MULTILINE)
    return Sheet(
        name=name,
        tags=tags if tags or found is None else frozenset(),
        likes=_bullets(sections.get("what you like", "")),
        dislikes=_bullets(sections.get("what you do not like", "")),
        greeting=" ".join(_starting(sections, "how you greet").split()),
        examples=_examples(sections, name),
        people=_names(here[1]) if here else "",
        date=f"{clock[1]}, {clock[2]}" if clock else "",
        time=clock[3].lstrip("0") if clock else "",
    )


def _bullets(text: str) -> tuple[str, ...]:
    lines = (line[2:].strip().rstrip(".") for line in text.splitlines() if line.startswith("- "))
    return tuple(line for line in lines if 0 < len(line) <= 80)


def _names(text: str) -> str:
    names = [name.strip() for name in re.sub(r"\([^)]*\)", "", text).split(",") if name.strip()]
    if len(names) > 6:
        return ", ".join(names[:6]) + f" and {len(names) - 6} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def _examples(sections: Mapping[str, str], name: str) -> tuple[tuple[str, str], ...]:
    pairs, asked = [], ""
    for line in _starting(sections, "examples of how").splitlines():
        speaker, _, words = line.partition(": ")
        if speaker == name:
            if asked and len(words) <= 400:
                pairs.append((asked, words))
            asked = ""
        else:
            asked = words
    return tuple(pairs)


def _starting(sections: Mapping[str, str], heading: str) -> str:
    return next((body for head, body in sections.items() if head.startswith(heading)), "")


@dataclass(frozen=True, slots=True)
class Moment:
    """The conversation so far, and what is to be answered."""

    sheet: Sheet
    earlier: tuple[Message, ...]
    """What people said before, oldest first, without the last remark."""

    kind: Kind
    user: str
    """The name of whom she answers; may be empty."""

    words: str
    """What they said, at most 600 characters."""

    asked: str
    """The same in lower case, without her name in front of it."""

    facts: Mapping[str, str | int]
    spoken: tuple[str, ...]
    """Her own remarks, oldest first."""

    @property
    def is_first(self) -> bool:
        """Whether she has not said anything yet."""
        return not self.spoken

    @property
    def is_new_face(self) -> bool:
        """Whether this person has not said anything before."""
        return bool(self.user) and not any(m.speaker == self.user for m in self.earlier)

    @property
    def said(self) -> tuple[str, ...]:
        """Her last replies, made plain."""
        return tuple(plain(text) for text in self.spoken[-AGO:])


def read_moment(messages: tuple[Message, ...]) -> Moment:
    """Look through the messages; any tuple will do, even an empty one."""
    system = next((m for m in messages if m.role == "system"), Message("system", ""))
    sheet = read_sheet(system.text, safe_name(system.speaker))
    people = [m for m in messages if m.role == "user"]
    spoken = tuple(m.words or m.text for m in messages if m.role == "assistant" and m.text.strip())
    # Her own remark at the end means that there is nothing to answer.
    has_question = bool(people) and messages[-1].role == "user"
    last = people[-1] if has_question else Message("user", "", "idle")
    words = " ".join((last.words or ("" if last.speaker else last.text))[:MOST_CHARS].split())
    return Moment(
        sheet=sheet,
        earlier=tuple(people[:-1] if has_question else people),
        kind=last.kind,
        user=safe_name(last.speaker),
        words=words,
        asked=_ask(words, sheet.name),
        facts=last.facts,
        spoken=spoken,
    )


def _ask(words: str, name: str) -> str:
    lower = words.lower().translate({0x2019: "'", 0x2018: "'", 0x00B4: "'"})
    shorter = re.sub(_ADDRESSED.format(name=re.escape(name.lower())), "", lower)
    if not shorter:  # only "hey Voxelle": that is a greeting
        return "hello" if lower else ""
    return re.sub(rf"[\s,]+@?{re.escape(name.lower())}\s*([?!.]*)$", r"\1", shorter).strip()


def safe_name(name: str) -> str:
    """Give a display name in letters that may be spoken, at most 40."""
    return " ".join(_DECORATION.sub(" ", name).split())[:40].strip(" .'-")
