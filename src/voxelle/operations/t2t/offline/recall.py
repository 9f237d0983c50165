"""Answers from what people told earlier, and what they tell now."""

from __future__ import annotations

import re

from voxelle.operations.t2t.offline.lines import Chooser
from voxelle.operations.t2t.offline.memory import Note, notes_of, speakable, take_notes, topics_of
from voxelle.operations.t2t.offline.moment import Moment

_MY_NAME = r"\b(?:what(?:'s| is)|know|remember|say|guess) my name\b|\bwho am i\b"
_ME = r"\b(?:remember|know|recognize|recognise) me\b"
_MY = (
    r"\b(?:remember|what(?:'s| is| was| are| were)|what do you know about"
    r"|who(?:'s| is)|know|recall) (?:the name of )?my ([\w' \-]{2,40}?)"
    r"(?:'s name| called| named)?(?: again)?\W*$"
)
_ABOUT = (
    r"\b(?:what did i (?:say|tell you|mention)|remember what i (?:said|told you)"
    r"|did i (?:say|mention))(?: about (?:my |the |a )?([\w' \-]{2,40}?))?(?: again)?\W*$"
)
_TOPICS = (
    r"\bwhat (?:were|are|did|have) we (?:been )?(?:talk|talking|discuss|chat)\w*"
    r"|\bwhat did i miss\b|\bwhat (?:was|is) the topic\b|\bwhere were we\b"
)
_SORTS = (
    (r"\bwhere (?:am i|do i come) from\b", "from"),
    (r"\bwhat do i (?:like|love|enjoy)\b", "like"),
    (r"\bwhat do i (?:hate|dislike)\b", "dislike"),
    (r"\bwhat (?:am|was) i (?:playing|doing|watching|reading|making)\b", "doing"),
)
_TOLD = {
    "name": "you are {value}",
    "is": "your {key} is {value}",
    "named": "your {key} is {value}",
    "have": "you have a {key}",
    "like": "you like {value}",
    "dislike": "you do not like {value}",
    "from": "you come from {value}",
    "doing": "you were busy with {value}",
}
_ANSWERS = {
    "name": "name_told",
    "named": "noted",
    "have": "noted_have",
    "like": "noted_like",
    "dislike": "noted_dislike",
    "doing": "noted_doing",
    "from": "noted_from",
}
_FAVOURITE = re.compile(r"favou?rite")
_COLOUR = re.compile(r"colou?r")


def recall(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    """Answer a question about what was said before; empty if it is none."""
    asked, notes = moment.asked, list(notes_of(moment.earlier, moment.user))
    if pool := _who_pool(moment, bool(name := _told_name(notes))):
        return chooser.choose(pool, {**slots, "value": name})
    if re.search(_TOPICS, asked):
        return _topics(moment, chooser, slots)
    for pattern, sort in _SORTS:
        if re.search(pattern, asked):
            return _tell(next((n for n in notes if n.sort == sort), None), chooser, slots)
    if found := re.search(_MY, asked) or re.search(_ABOUT, asked):
        return _tell(_find(notes, found[1] or ""), chooser, slots)
    return ""


def _told_name(notes: list[Note]) -> str:
    return next((note.value for note in notes if note.sort == "name"), "")


def _who_pool(moment: Moment, has_name: bool) -> str:
    if re.search(_MY_NAME, moment.asked):
        return "name_known" if has_name else "name_only_shown"
    if re.search(_ME, moment.asked):
        return "recalled_nothing" if moment.is_new_face or not moment.user else "recalled_me"
    return ""


def _topics(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    topics = [topic for _, topic in topics_of(moment.earlier)[:3]]
    if not topics:
        return chooser.choose("recalled_no_topics", slots)
    told = " and ".join(filter(None, [", ".join(topics[:-1]), topics[-1]]))
    return chooser.choose("recalled_topics", {**slots, "topics": told})


def _find(notes: list[Note], key: str) -> Note | None:
    """Find the newest note about something; one that names it is worth more than `you have it`."""
    key = _spell(key.strip())
    fitting = [
        note
        for note in notes
        if not key or re.search(rf"\b{re.escape(key)}\b", _spell(f"{note.key} {note.value}"))
    ]
    return next((note for note in fitting if note.sort != "have"), fitting[0] if fitting else None)


def _spell(text: str) -> str:
    return _COLOUR.sub("colour", _FAVOURITE.sub("favourite", text.lower()))


def _tell(note: Note | None, chooser: Chooser, slots: dict[str, str]) -> str:
    if note is None:
        return chooser.choose("recalled_nothing", slots)
    known = {**slots, "key": note.key, "value": note.value}
    if note.sort in ("is", "named"):
        return chooser.choose("recalled", known)
    if note.sort == "have":
        return chooser.choose("recalled_have", known)
    told = _TOLD[note.sort].format(key=note.key, value=note.value)
    return chooser.choose("recalled_about", {**slots, "value": told})


def note(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    """React to something that somebody tells about themselves; empty if they do not."""
    for one in take_notes(moment.words):
        pool = _ANSWERS.get(one.sort, "noted" if _FAVOURITE.match(one.key) else "")
        if pool:
            return chooser.choose(pool, {**slots, "key": speakable(one.key), "value": one.value})
    return ""
