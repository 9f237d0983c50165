"""What is answered, and before what else: one bounded queue for everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from voxelle.conversation.settings import DirectorSettings
from voxelle.conversation.utterance import Utterance
from voxelle.events import Source
from voxelle.prompter.situation import Remark

PRIORITIES: dict[Source, float] = {
    "direction": 100.0,
    "voice": 50.0,
    "event": 40.0,
    "chat": 20.0,
    "idle": 0.0,
}
"""Who comes first; an operator is obeyed, a voice is answered before a line of chat."""

AGE_PER_SECOND = 0.5
"""How much priority waiting gives: chat that waited a minute is as urgent as a new voice."""

DIRECTION_EXPIRES_S = 600.0
IDLE_EXPIRES_S = 5.0

REMARKS_MERGED = 100
"""Remarks that one answer may be about; older ones stay in the history only."""


@dataclass(frozen=True, slots=True)
class Impulse:
    """Something that may deserve an answer."""

    source: Source

    made_at: float
    """Loop time, in seconds."""

    remarks: tuple[Remark, ...] = ()
    """What is to be answered."""

    key: tuple[str, ...] = ()
    """Impulses of one source and key are answered together."""

    utterance: Utterance | None = None
    """What was spoken last, if it is a voice."""

    exact: str = ""
    """The very words to say, if the operator gave them."""


@dataclass(slots=True)
class Director:
    """Keeps what waits for an answer. It decides what is next, not whether she may speak."""

    settings: DirectorSettings
    waiting: list[Impulse] = field(default_factory=list[Impulse])
    dropped: int = 0
    """Impulses that were dropped because too many waited, or that expired."""

    def offer(self, impulse: Impulse) -> None:
        """Queue an impulse, or merge it into one that waits; the least urgent makes room."""
        for index, other in enumerate(self.waiting):
            if impulse.key and (other.source, other.key) == (impulse.source, impulse.key):
                self.waiting[index] = _merge(other, impulse)
                return
        self.waiting.append(impulse)
        if len(self.waiting) > self.settings.queue:
            self.waiting.remove(min(self.waiting, key=lambda one: _urgency(one, impulse.made_at)))
            self.dropped += 1

    def choose(self, now: float) -> Impulse | None:
        """Take out the most urgent impulse that has not expired, at this loop time."""
        alive = [one for one in self.waiting if now - one.made_at <= self._lifetime(one.source)]
        self.dropped += len(self.waiting) - len(alive)
        self.waiting = alive
        if not alive:
            return None
        # max() takes the first of equals: the oldest.
        chosen = max(alive, key=lambda one: _urgency(one, now))
        self.waiting.remove(chosen)
        return chosen

    def clear(self) -> None:
        """Forget everything that waits."""
        self.waiting.clear()

    def _lifetime(self, source: Source) -> float:
        return {
            "direction": DIRECTION_EXPIRES_S,
            "voice": self.settings.voice_expires_s,
            "event": self.settings.event_expires_s,
            "chat": self.settings.text_expires_s,
            "idle": IDLE_EXPIRES_S,
        }[source]


def _urgency(impulse: Impulse, now: float) -> float:
    return PRIORITIES[impulse.source] + AGE_PER_SECOND * (now - impulse.made_at)


def _merge(old: Impulse, new: Impulse) -> Impulse:
    """Make one impulse of two; it keeps the age of the older one and expires with it."""
    # New words keep a voice alive: somebody who speaks on is still waiting for the answer.
    made_at = new.made_at if new.source == "voice" else old.made_at
    remarks = (*old.remarks, *new.remarks)[-REMARKS_MERGED:]
    return replace(old, remarks=remarks, made_at=made_at, utterance=new.utterance)


def add_up(remarks: Sequence[Remark]) -> tuple[Remark, ...]:
    """Make one remark of events that differ only in the amount, such as a rain of gifts."""
    result: list[Remark] = []
    for remark in remarks:
        last = result[-1] if result else None
        if last and remark.kind == "event" and _is_same_event(last, remark):
            amount = int(last.facts.get("amount", 0)) + int(remark.facts.get("amount", 0))
            result[-1] = replace(remark, facts={**remark.facts, "amount": amount})
        else:
            result.append(remark)
    return tuple(result)


def _is_same_event(one: Remark, other: Remark) -> bool:
    is_same = one.kind == other.kind and one.member == other.member and one.text == other.text
    return is_same and one.facts.get("type") == other.facts.get("type")
