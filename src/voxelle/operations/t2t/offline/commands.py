"""What she answers to words that begin with an exclamation mark."""

from __future__ import annotations

import re
from collections.abc import Callable

from voxelle.operations.t2t.offline.lines import Chooser
from voxelle.operations.t2t.offline.moment import Moment

_COMMANDS = "!help, !who, !time, !date, !dice, !coin, !joke, !topic, !story, !hug, !oracle, !lurk"
_MOST_SIDES = 1_000


def obey(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    """Answer a command; an unknown one gets a friendly hint, and is never repeated aloud."""
    found = re.match(r"!\s*(\w*)\s*(.*)", moment.words.lower())
    name, rest = (found[1], found[2]) if found else ("", "")
    return _KNOWN.get(name, _unknown)(moment, chooser, {**slots, "rest": rest})


def _help(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    del moment
    return chooser.choose("command_help", {**slots, "commands": _COMMANDS})


def _who(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    if people := moment.sheet.people:
        return chooser.choose("command_who", {**slots, "people": people})
    return chooser.choose("command_who_alone", slots)


def _time(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    return chooser.choose("time" if moment.sheet.time else "no_clock", slots)


def _date(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    return chooser.choose("date" if moment.sheet.date else "no_clock", slots)


def _dice(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    del moment
    asked = re.search(r"\d{1,6}", slots["rest"])
    sides = min(max(int(asked[0]), 2), _MOST_SIDES) if asked else 6
    return chooser.choose("command_dice", {**slots, "number": str(chooser.number(sides))})


def _coin(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
    del moment
    side = ("heads", "tails")[chooser.number(2) - 1]
    return chooser.choose("command_coin", {**slots, "side": side})


def _from(pool: str) -> Callable[[Moment, Chooser, dict[str, str]], str]:
    def answer(moment: Moment, chooser: Chooser, slots: dict[str, str]) -> str:
        del moment
        return chooser.choose(pool, slots)

    return answer


_unknown = _from("command_unknown")

_KNOWN: dict[str, Callable[[Moment, Chooser, dict[str, str]], str]] = {
    "help": _help,
    "commands": _help,
    "who": _who,
    "about": _who,
    "time": _time,
    "date": _date,
    "dice": _dice,
    "roll": _dice,
    "coin": _coin,
    "flip": _coin,
    "joke": _from("joke"),
    "topic": _from("command_topic"),
    "story": _from("story"),
    "hug": _from("command_hug"),
    "oracle": _from("command_eightball"),
    "8ball": _from("command_eightball"),
    "lurk": _from("command_lurk"),
    "hello": _from("greeting"),
}
