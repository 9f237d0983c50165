"""Following stage directions, as well as an offline mind can."""

from __future__ import annotations

import re

from voxelle.operations.t2t.offline.lines import Chooser
from voxelle.operations.t2t.offline.moment import safe_name

_MOST_TOPIC = 80

_SHOW = r"(?:stream|show|broadcast)"
_ALL = r"(?:everyone|everybody|all|viewers|audience|(?:the )?(?:chat|viewers|audience))\b"

# In this order, because "say hello to Ann" must not be taken as words to say.
_TO_ALL = (
    (
        "end_stream",
        rf"\b(?:end|close|finish|stop)\b.*\b{_SHOW}\b|\bsay good ?bye\b|\bsign off\b|\bwrap up\b",
    ),
    (
        "start_stream",
        rf"\b(?:start|open|begin)\b.*\b{_SHOW}\b|\b(?:welcome|greet|say (?:hello|hi) to) {_ALL}",
    ),
)
_TO_ONE = (
    ("greet_by_order", r"\b(?:greet|welcome|say (?:hello|hi|hey) to|wave (?:at|to))\s+(.+)"),
    ("thank_by_order", r"\b(?:thank|say thank you to|give thanks to)\s+(.+?)(?:\s+for\b.*)?$"),
)
_SAY = (
    r"^\s*(?:please\s+)?(?:say|repeat|read out)\b(?!\s+something)"
    r"(?:\s+(?:this|exactly))?\s*:?\s+(.+)"
)
_AFTER_NAME = re.compile(
    r"[,;:.!?(]|\b(?:and|who|which|because|for|from|with|in|on|to|as|by|please|again|now|loudly|\w+ly)\b"
)
_ASK = r"\bask\s+([\w.'\-]+)\s+(?:about|for|whether|if|how|what|why|when|where)\s+(.+)"
_SIMPLE = (
    ("take_break", r"\b(?:break|brb|be right back|pause)\b"),
    ("introduce", r"\bintroduce yourself\b|\bwho you are\b"),
    ("joke", r"\bjoke\b|\bfunny\b"),
    ("story", r"\bstory\b"),
    ("sing", r"\bsing\b"),
    ("hype_by_order", r"\bhype\b|\bcheer\b|\bexcited?\b"),
    ("command_topic", rf"\bask (?:{_ALL}|a question|something)"),
)
_TALK = (
    r"\b(?:talk|tell (?:us|them|chat)|speak|chat|rant|say something)\s+(?:a bit |more )?"
    r"(?:about|on)\s+(.+)|\b(?:discuss|mention|bring up|comment on|react to)\s+(.+)"
)


def follow(words: str, chooser: Chooser, slots: dict[str, str]) -> str:
    """Do what the operator asks for; `say ...` gives exactly those words."""
    if pool := _pool(_TO_ALL, words):
        return chooser.choose(pool, slots)
    for pool, pattern in _TO_ONE:
        if found := re.search(pattern, words, re.IGNORECASE):
            return chooser.choose(pool, {**slots, "user": _name(found[1]) or "everybody"})
    if (found := re.search(_SAY, words, re.IGNORECASE | re.DOTALL)) and _unquote(found[1]):
        return _unquote(found[1])
    if found := re.search(_ASK, words, re.IGNORECASE):
        known = {**slots, "user": safe_name(found[1]), "topic": _topic(found[2])}
        return chooser.choose("ask_by_order", known)
    known = slots
    pool = _pool(_SIMPLE, words)
    if not pool and (found := re.search(_TALK, words, re.IGNORECASE)):
        pool, known = "talk_about", {**slots, "topic": _topic(found[1] or found[2])}
    return chooser.choose(pool or "direction_other", known)


def _name(text: str) -> str:
    """Give the name with which a direction goes on: `Mika warmly and ...` is Mika."""
    return safe_name(_AFTER_NAME.split(text, maxsplit=1)[0])


def _pool(choices: tuple[tuple[str, str], ...], words: str) -> str:
    return next((pool for pool, pattern in choices if re.search(pattern, words.lower())), "")


def _unquote(text: str) -> str:
    return text.strip().strip("\"'“”").strip()


def _topic(text: str) -> str:
    return " ".join(re.sub(r"[^\w ,'\-]+", " ", text).split())[:_MOST_TOPIC].strip(" ,'-")
