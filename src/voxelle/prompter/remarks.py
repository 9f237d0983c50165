"""One remark as a language model gets to see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from voxelle.messages import Kind, Message
from voxelle.prompter.quoting import NOBODY, clean, clean_name, quote
from voxelle.prompter.settings import PrompterSettings
from voxelle.prompter.situation import Remark
from voxelle.prompter.tokens import MESSAGE_TOKENS, estimate

KEPT = 8_192
"""Remarks whose form is remembered: some 40 rooms with full histories, about 10 MB."""

DIRECTION = "(Stage direction, only for you)"
EVENT = "(Stream event)"
IDLE = "(Nobody has said anything for a while. Say something by yourself, or ask somebody.)"

_SENTENCES: dict[str, tuple[str, str]] = {
    # type: (with an amount, without one)
    "raid": (
        "{user} is raiding the stream with {amount} viewers.",
        "{user} is raiding the stream.",
    ),
    "follow": ("{user} follows now.", "{user} follows now."),
    "subscription": ("{user} has subscribed, month {amount}.", "{user} has subscribed."),
    "gift": ("{user} gives away {amount} subscriptions.", "{user} gives away a subscription."),
    "bits": ("{user} cheers {amount} bits.", "{user} cheers."),
    "redemption": ("{user} redeems a reward for {amount} points.", "{user} redeems a reward."),
}
_SINGULARS = {"1 viewers": "1 viewer", "1 subscriptions": "1 subscription", "1 bits": "1 bit"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A remark's message and what it costs."""

    message: Message
    tokens: int


class RemarkWriter:
    """Turns remarks into messages, and remembers those it has turned."""

    def __init__(self, character: str, settings: PrompterSettings) -> None:
        self._character = character
        self._settings = settings
        self._aliases = {name.casefold(): alias for name, alias in settings.names.items()}
        names = sorted((re.escape(name) for name in settings.names), key=len, reverse=True)
        self._mention = (
            re.compile(rf"(?<!\w)(?:{'|'.join(names)})(?!\w)", re.IGNORECASE) if names else None
        )
        self.name: Callable[[str], str] = lru_cache(KEPT)(self._name)
        """Gives a display name as it is spoken and shown."""
        self._remembered: Callable[..., Shown] = lru_cache(KEPT)(self._write)

    def show(self, remark: Remark) -> Shown:
        """Give a remark as a message; costs a microsecond when it was shown before."""
        name = remark.member.name if remark.member else ""
        facts = tuple(remark.facts.items()) if remark.facts else ()
        return self._remembered(remark.kind, remark.text, name, remark.is_own, facts)

    def show_short(self, remark: Remark, tokens: int) -> Shown:
        """Give a remark as a message of at most `tokens` (300 always suffice), its end cut off."""
        shown, chars = self.show(remark), self._settings.remark_chars
        name = remark.member.name if remark.member else ""
        facts = tuple(remark.facts.items())
        while shown.tokens > tokens and chars > 1:
            chars //= 2
            shown = self._write(remark.kind, remark.text, name, remark.is_own, facts, chars)
        return shown

    def _name(self, name: str) -> str:
        alias = self._aliases.get(name.casefold(), name)
        return clean_name(alias, self._settings.name_chars, taken=self._character)

    def _write(
        self,
        kind: Kind,
        text: str,
        name: str,
        is_own: bool,
        facts: tuple[tuple[str, str | int], ...],
        chars: int = 0,
    ) -> Shown:
        chars = chars or self._settings.remark_chars
        words = self._translate(clean(text, chars))
        if is_own:
            message = Message("assistant", words, "said", self._character, words)
        else:
            message = self._of_others(kind, words, name, self._clean_facts(dict(facts), chars))
        return Shown(message, estimate(message.text) + MESSAGE_TOKENS)

    def _of_others(
        self, kind: Kind, words: str, name: str, facts: Mapping[str, str | int]
    ) -> Message:
        if kind == "direction":
            return Message("user", f"{DIRECTION} {words}", kind, "operator", words)
        if kind == "idle":
            return Message("user", IDLE, kind)
        if kind == "event":
            user = str(facts.get("user") or (self.name(name) if name else ""))
            return Message(
                "user", f"{EVENT} {sentence(facts, user, words)}", kind, user, words, facts
            )
        speaker = self.name(name) if name else NOBODY
        said: Kind = "wrote" if kind == "wrote" else "said"
        return Message("user", f"{speaker}: {words or '(no words)'}", said, speaker, words, facts)

    def _clean_facts(self, facts: Mapping[str, str | int], chars: int) -> dict[str, str | int]:
        cleaned: dict[str, str | int] = {}
        for key, value in facts.items():
            if isinstance(value, int):
                cleaned[key] = value
            else:
                cleaned[key] = self.name(value) if key == "user" else clean(value, chars)
        return cleaned

    def _translate(self, words: str) -> str:
        if self._mention is None:
            return words
        return self._mention.sub(lambda found: self._aliases[found[0].casefold()], words)


def sentence(facts: Mapping[str, str | int], user: str, words: str) -> str:
    """Say in one sentence what happened on the stream; facts and words are clean already."""
    user = user or NOBODY
    amount = facts.get("amount", 0)
    text = str(facts.get("text", "")) or words
    known = _SENTENCES.get(str(facts.get("type", "")))
    if known is None:
        return " ".join(filter(None, ["Something happened:", quote(text) if text else user]))
    told = known[0 if amount else 1].format(user=user, amount=amount)
    for plural, singular in _SINGULARS.items():
        told = re.sub(rf"\b{plural}\b", singular, told)
    return f"{told} They write: {quote(text)}" if text else told
