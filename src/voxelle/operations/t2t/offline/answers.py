"""What she says: the rules, in the order in which they are tried."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from voxelle.operations.t2t.offline import arithmetic, commands, directions, happenings
from voxelle.operations.t2t.offline.lines import Chooser, plain
from voxelle.operations.t2t.offline.memory import find_topic, speakable, topics_of
from voxelle.operations.t2t.offline.moment import Moment
from voxelle.operations.t2t.offline.recall import note, recall

Rule = Callable[[Moment, Chooser, dict[str, str]], str]
"""Gives an answer, or nothing if it does not apply."""

_FIRST_TALKS = frozenset({"injection", "rude", "what_are_you", "language"})
"""Small talk that is looked for before anything else, so that nothing else is triggered by it."""

_SUM_IS_MEANT = re.compile(
    r"what|how much|calculate|compute|solve|=|\?|plus|minus|times|divided|^[\d\s.+*/x×÷^()-]+$"
)
_TIME = re.compile(r"\bwhat(?:'s| is)?(?: the)? time\b|\btime is it\b|\bthe time\W*$|\bhow late\b")
_DATE = re.compile(r"\bwhat(?:'s| is)?(?: the)? (?:day|date)\b|\bwhich day\b|\btoday's date\b")
_CHOICE = re.compile(r"([^\W\d_][\w'-]*),? or ((?:the |a )?[^\W\d_][\w'-]*)\W*$")
_OPINION = re.compile(
    r"\b(?:what do you think (?:about|of)|(?:do|don't|would) you (?:like|love|hate|enjoy|prefer)"
    r"|how do you like|(?:your )?(?:thoughts|opinion|take) (?:on|about|of))"
    r" (?:the |a |an )?([\w' -]{2,40}?)\W*$"
)
_YES_NO = re.compile(
    r"^(?:so |and |but |or )?(?:do|does|did|are|is|was|were|can|could|will|would|should|shall|have"
    r"|has|am|may|isn't|don't|aren't|won't)\b.{3,}"
)
_QUESTION = re.compile(r"\?\W*$|^(?:who|what|why|how|when|where|which|whose)\b")
_SAME_QUESTION = 0.75
"""How much of an example's words a question must share to get the example's answer."""


def answer(moment: Moment, chooser: Chooser) -> str:
    """Say something that fits the moment."""
    slots = _slots(moment, chooser)
    if moment.kind == "direction":
        return directions.follow(moment.words, chooser, slots)
    if moment.kind == "event":
        reply = _event(moment, chooser, slots)
    elif moment.kind == "idle":
        reply = _idle(moment, chooser, slots)
    else:
        reply = _converse(moment, chooser, slots)
    if moment.is_first and "demo" not in reply:
        reply += " " + chooser.choose("demo", slots)
    return reply


def _slots(moment: Moment, chooser: Chooser) -> dict[str, str]:
    sheet = moment.sheet
    return {
        "user": moment.user,
        "name": sheet.name,
        "time": sheet.time,
        "date": sheet.date,
        "like": _one(sheet.likes, chooser),
        "dislike": _one(sheet.dislikes, chooser),
    }


def _one(things: tuple[str, ...], chooser: Chooser) -> str:
    fresh = [thing for thing in things if not any(plain(thing) in said for said in chooser.said)]
    kept = fresh or list(things)
    return kept[chooser.number(len(kept)) - 1] if kept else ""


def _converse(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    if not re.search(r"\w|\?", moment.words):
        return chooser.choose("nothing_heard", slots)
    if moment.words.startswith("!"):
        return commands.obey(moment, chooser, slots)
    for rule in _RULES:
        if reply := rule(moment, chooser, slots):
            break
    else:
        reply = _listen(moment, chooser, slots)
    if moment.is_new_face and rule is not _greet and moment.user.lower() not in reply.lower():
        reply = f"{chooser.choose('hello_first', slots)} {reply}"
    return reply


def _event(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    thanks = happenings.thank(moment, chooser, slots)
    text = str(moment.facts.get("text", ""))
    if not text:
        return thanks
    wrote = replace(moment, kind="wrote", words=text[:600], asked=text[:600].lower())
    user = str(moment.facts.get("user", "")) or moment.user
    known = {**slots, "user": user}
    for rule in (_first_talk, _sum, _small_talk):
        if reply := rule(wrote, chooser, known):
            return f"{thanks} {reply}"
    return f"{thanks} {chooser.fresh('wrote_with_it', known)}".strip()


def _idle(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    way = chooser.number(4)
    if way <= 2:
        for speaker, topic in topics_of(moment.earlier, has_questions=False)[:20]:
            if speaker and not any(plain(topic) in said for said in chooser.said):
                known = {**slots, "user": speaker, "topic": topic}
                if reply := chooser.fresh("idle_follow_up", known):
                    return reply
    pool = "command_topic" if way == 3 else "idle"
    return chooser.fresh(pool, slots) or chooser.choose("idle", slots)


def _first_talk(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    return _talk(moment, chooser, slots, is_first=True)


def _small_talk(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    return _talk(moment, chooser, slots, is_first=False)


def _talk(moment: Moment, chooser: Chooser, slots: dict[str, str], is_first: bool) -> str:
    for talk in chooser.lines.small_talk:
        if (talk.id in _FIRST_TALKS) == is_first and talk.when.search(moment.asked):
            if talk.id == "favourite":
                slots = {**slots, "favourite": _favourite(moment, chooser)}
            return chooser.choose(talk.id, slots)
    return ""


def _favourite(moment: Moment, chooser: Chooser) -> str:
    things = chooser.lines.favourites
    kind = next((kind for kind in things if re.search(rf"\b{kind}", moment.asked)), "thing")
    return _one(things[kind], chooser)


def _greet(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    talk = next(talk for talk in chooser.lines.small_talk if talk.id == "greeting")
    earlier = (t for t in chooser.lines.small_talk if t.id in ("how_are_you", "test", "back"))
    if not talk.when.search(moment.asked) or any(t.when.search(moment.asked) for t in earlier):
        return ""
    # A question after the hello is more important than the hello.
    rest = talk.when.sub("", moment.asked)
    if len(rest.split()) > 3:
        return ""
    if not moment.user:
        return chooser.choose("greet_nobody", slots)
    if not moment.is_new_face:
        return chooser.choose("greet_again", slots)
    own = moment.sheet.greeting
    if own and len(own) <= 200 and moment.is_first:
        return own.replace("{user}", moment.user)
    return chooser.choose("greeting", slots)


def _example(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    del slots
    words = set(re.findall(r"\w+", moment.asked))
    for asked, reply in moment.sheet.examples:
        known = set(re.findall(r"\w+", asked.lower()))
        shared = len(words & known) / max(1, len(words | known))
        if shared >= _SAME_QUESTION and not any(plain(reply) in said for said in chooser.said):
            return reply
    return ""


def _sum(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    if not _SUM_IS_MEANT.search(moment.asked):
        return ""
    try:
        result = arithmetic.find_sum(moment.asked)
    except ZeroDivisionError:
        return chooser.choose("sum_zero", slots)
    except (arithmetic.TooLargeError, OverflowError):
        return chooser.choose("sum_huge", slots)
    if result is None:
        return ""
    return chooser.choose("sum", {**slots, "result": arithmetic.say_number(result)})


def _clock(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    if _TIME.search(moment.asked):
        return chooser.choose("time" if slots["time"] else "no_clock", slots)
    if _DATE.search(moment.asked):
        return chooser.choose("date" if slots["date"] else "no_clock", slots)
    return ""


def _choice(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    found = _CHOICE.search(moment.asked)
    if not found or not _QUESTION.search(moment.asked):
        return ""
    pick = speakable(found[chooser.number(2)])
    return chooser.choose("choice", {**slots, "pick": pick}) if pick else ""


def _opinion(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    found = _OPINION.search(moment.asked)
    topic = speakable(re.sub(r"\bmy\b", "your", found[1])) if found else ""
    if not topic or topic in ("me", "it", "this", "that", "him", "her", "them", "us", "you"):
        return ""
    stem = topic.rstrip("s")
    for pool, things in (("like", moment.sheet.likes), ("dislike", moment.sheet.dislikes)):
        if thing := next((one for one in things if stem in one.lower()), ""):
            return chooser.choose(f"opinion_{pool}", {**slots, pool: thing})
    return chooser.choose("opinion", {**slots, "topic": topic})


def _yes_no(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    return chooser.choose("yes_no", slots) if _YES_NO.search(moment.asked) else ""


def _unknown(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    return chooser.choose("unknown", slots) if _QUESTION.search(moment.asked) else ""


def _topic(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    topic = find_topic(moment.words)
    return chooser.choose("topic", {**slots, "topic": topic}) if topic else ""


def _listen(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    reply = chooser.choose("listening", slots)
    for speaker, topic in topics_of(moment.earlier[:-1], has_questions=False):
        is_old = not any(plain(topic) in said for said in chooser.said)
        if speaker == moment.user and is_old and chooser.number(2) == 1:
            asked = chooser.fresh("follow_up", {**slots, "topic": topic})
            return f"{reply} {asked}".strip()
    return reply


_RULES: tuple[Rule, ...] = (
    _first_talk,
    _example,
    recall,
    _sum,
    _clock,
    _greet,
    _choice,
    note,
    _small_talk,
    _opinion,
    _yes_no,
    _unknown,
    _topic,
)
