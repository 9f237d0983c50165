"""What people told in this conversation: names, pets, favourites and topics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from voxelle.messages import Message
from voxelle.operations.t2t.offline.lines import load_lines

_WORD = r"[^\W\d_][\w'\-]{0,24}"
_PHRASE = rf"{_WORD}(?: {_WORD}){{0,4}}"
_END = r"(?=[.,!?;:)]|$| and\b| but\b| because\b| so\b| or\b)"
_FLAGS = re.IGNORECASE

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "name",
        re.compile(rf"\b(?:my name is|my name's|call me|i am called|i'm called) ({_WORD})", _FLAGS),
    ),
    (
        "is",
        re.compile(
            rf"\bmy ((?:favou?rite )?{_WORD}(?: {_WORD})??)(?:'s name)? "
            rf"(?:is called|is named|are called|is|are|was|called|named) ({_PHRASE}?){_END}",
            _FLAGS,
        ),
    ),
    (
        "named",
        re.compile(
            rf"\b(?:have|got|own|adopted) (?:a |an |my )?({_WORD}(?: {_WORD})?)"
            rf",? (?:called|named|whose name is) ({_WORD})",
            _FLAGS,
        ),
    ),
    (
        "have",
        re.compile(
            rf"\bi(?:'ve| have| got|'ve got| have got| own| adopted) (?:a|an) ({_WORD}){_END}",
            _FLAGS,
        ),
    ),
    (
        "like",
        re.compile(
            rf"\bi (?:really |just |also )?(?:like|love|enjoy|adore) ({_PHRASE}?){_END}", _FLAGS
        ),
    ),
    (
        "dislike",
        re.compile(
            rf"\bi (?:really |just |also )?(?:hate|dislike|don't like|can't stand) "
            rf"({_PHRASE}?){_END}",
            _FLAGS,
        ),
    ),
    ("from", re.compile(rf"\bi(?:'m| am| come) from ({_PHRASE}?){_END}", _FLAGS)),
    (
        "doing",
        re.compile(
            rf"\b(?:i|we)(?:'m|'re| am| are|'ve been| have been| was| were| just)?"
            rf" (?:started |finished |currently )?"
            rf"(?:playing|played|watching|watched|reading|learning|building|making|cooking|writing"
            rf"|drawing|painting|baking) ({_PHRASE}?)"
            rf"(?= with\b| at\b| on\b| today| tonight| right now| again|{_END[3:-1]})",
            _FLAGS,
        ),
    ),
)  # fmt: skip
_LINK = re.compile(r"\S*(?:://|www\.|\w\.[a-z]{2,})\S*", _FLAGS)
_TOPIC = re.compile(
    rf"\b(?:about|the|my|a|an|some|this|new|of|with|our|your) ({_WORD}(?: {_WORD}){{0,2}})", _FLAGS
)
_NO_THINGS = frozenset(
    "question idea feeling problem headache cold look bit lot point plan guess chance doubt hunch "
    "minute second moment clue reason fever job life crush new good bad great nice".split()
)
"""What one has without owning it: no question follows."""


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that somebody told about themselves."""

    sort: str
    """One of name, is, named, have, like, dislike, from, doing."""

    key: str
    """What it is about: `cat`, `favourite colour`; empty where the value says all."""

    value: str


@lru_cache(4_096)
def take_notes(words: str) -> tuple[Note, ...]:
    """Find what somebody tells about themselves in a remark."""
    if words.rstrip().endswith("?") or re.match(r"(?:do|what|who|how)\b", words, _FLAGS):
        return ()
    words = without_links(words)
    if _is_unkind(words):
        return ()
    notes = []
    for sort, pattern in _PATTERNS:
        for found in pattern.finditer(words):
            key, value = (found[1], found[2]) if sort in ("is", "named") else ("", found[1])
            called = re.search(r"'s name | (?:called|named) ", found[0], _FLAGS)
            told = "named" if sort == "is" and called else sort
            if sort == "have":
                key, value = ("" if value.lower() in _NO_THINGS else value), ""
            key, value = speakable(key.lower()), speakable(_turn(value))
            if (key or value) and (value or sort == "have") and not _is_feeling(sort, value):
                notes.append(Note(told, key, value))
    return tuple(notes)


def _is_unkind(words: str) -> bool:
    """Tell whether a remark is an insult or an attack: nothing of those is ever repeated."""
    talks = (talk for talk in load_lines().small_talk if talk.id in ("injection", "rude"))
    return any(talk.when.search(words.lower()) for talk in talks)


def _turn(value: str) -> str:
    """Say it from the other side: `my dog` becomes `your dog`."""
    return re.sub(r"\bmy\b", "your", value, flags=_FLAGS)


def _is_feeling(sort: str, value: str) -> bool:
    blank = {"you", "it", "that", "this", "to", "your", "him", "her", "them", "us", "there", "not"}
    return sort in ("like", "dislike", "have", "doing") and value.lower().split(" ")[:1] in (
        [one] for one in blank
    )


def speakable(text: str) -> str:
    """Give a short phrase in ordinary letters that she may repeat, or nothing."""
    words = text.split()
    rude = load_lines().never_topics
    if not words or len(text) > 50 or any(word.lower().strip("'") in rude for word in words):
        return ""
    if not all(re.fullmatch(_WORD, word) for word in words):
        return ""
    return " ".join(words)


@lru_cache(4_096)
def find_topic(words: str) -> str:
    """Find what a remark is about, in one or two words; empty if that is not clear."""
    for note in take_notes(words):
        if note.sort in ("like", "doing") and note.value:
            return note.value
        if note.sort in ("is", "named", "have"):
            return f"your {note.key}"
    words = without_links(words)
    if _is_unkind(words):
        return ""
    phrases = ((found[0].lower(), _noun(found[1])) for found in _TOPIC.finditer(words))
    return next((_with_article(start, noun) for start, noun in phrases if len(noun) >= 3), "")


def _noun(phrase: str) -> str:
    """Give the adjectives and the noun with which a phrase begins, or nothing."""
    lines, kept = load_lines(), list[str]()
    for word in phrase.lower().split():
        is_adjective = word in lines.adjectives
        if not is_adjective and (word in lines.stop_words or word.endswith("ly") or "'" in word):
            break
        kept.append(word)
        if not is_adjective and len(kept) >= 2:
            break
    while kept and kept[-1] in lines.adjectives:
        kept.pop()
    return speakable(" ".join(kept))


def _with_article(start: str, noun: str) -> str:
    if start.startswith("my "):
        return f"your {noun}"
    return f"the {noun}" if start.startswith(("the ", "this ")) else noun


def without_links(words: str) -> str:
    """Leave out whatever looks like an address in the net."""
    return _LINK.sub(" ", words)


def notes_of(messages: tuple[Message, ...], user: str) -> Iterator[Note]:
    """Give what one person told, the newest first."""
    for message in reversed(messages):
        if message.kind in ("said", "wrote") and message.speaker == user:
            yield from reversed(take_notes(message.words[:600]))


def topics_of(messages: tuple[Message, ...], has_questions: bool = True) -> list[tuple[str, str]]:
    """Give (speaker, topic) of all remarks that had one, the newest first, no topic twice."""
    topics: dict[str, str] = {}
    for message in reversed(messages):
        if message.kind not in ("said", "wrote") or (not has_questions and "?" in message.words):
            continue
        if topic := find_topic(message.words[:600]):
            topics.setdefault(topic, message.speaker)
    return [(speaker, topic) for topic, speaker in topics.items()]
