from __future__ import annotations

from datetime import UTC, datetime

import pytest

from voxelle.conversation.director import Director, Impulse, add_up
from voxelle.conversation.settings import DirectorSettings
from voxelle.events import Member, Source
from voxelle.prompter.situation import Remark

ANN = Member(platform="twitch", id="1", name="Ann")
BEN = Member(platform="twitch", id="2", name="Ben")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def wrote(text: str, member: Member = ANN) -> Remark:
    return Remark("wrote", text, NOON, member)


def impulse(source: Source, at: float = 0.0, text: str = "hi", key: str = "") -> Impulse:
    return Impulse(source, at, (wrote(text),), (key,) if key else ())


def order(director: Director, now: float) -> list[str]:
    chosen: list[str] = []
    while one := director.choose(now):
        chosen.append(one.source)
    return chosen


def test_operator_comes_before_voice_before_event_before_chat_before_idle() -> None:
    director = Director(DirectorSettings())
    for source in ("idle", "chat", "voice", "event", "direction"):
        director.offer(impulse(source))
    assert order(director, 0.0) == ["direction", "voice", "event", "chat", "idle"]


def test_of_equals_the_older_comes_first() -> None:
    director = Director(DirectorSettings())
    director.offer(impulse("chat", 1.0, "second"))
    director.offer(impulse("chat", 0.0, "first"))
    chosen = director.choose(2.0)
    assert chosen is not None
    assert chosen.remarks[0].text == "first"


def test_waiting_makes_urgent_so_that_nobody_starves() -> None:
    director = Director(DirectorSettings(text_expires_s=600))
    director.offer(impulse("chat", 0.0))
    director.offer(impulse("event", 100.0))
    assert order(director, 100.0) == ["chat", "event"]


@pytest.mark.parametrize(
    ("source", "seconds"), [("voice", 30.0), ("chat", 60.0), ("event", 300.0), ("idle", 5.0)]
)
def test_what_is_too_old_is_not_answered(source: Source, seconds: float) -> None:
    director = Director(DirectorSettings())
    director.offer(impulse(source))
    assert director.choose(seconds + 0.1) is None
    assert director.dropped == 1
    director.offer(impulse(source))
    assert director.choose(seconds - 0.1) is not None


def test_one_persons_messages_are_answered_together() -> None:
    director = Director(DirectorSettings())
    director.offer(impulse("chat", 0.0, "hello", "ann"))
    director.offer(impulse("chat", 1.0, "hello", "ben"))
    director.offer(impulse("chat", 2.0, "are you there?", "ann"))
    chosen = director.choose(3.0)
    assert chosen is not None
    assert [remark.text for remark in chosen.remarks] == ["hello", "are you there?"]
    assert chosen.made_at == 0.0


def test_voice_that_goes_on_stays_fresh() -> None:
    director = Director(DirectorSettings())
    director.offer(impulse("voice", 0.0, "first", "voice"))
    director.offer(impulse("voice", 25.0, "then", "voice"))
    chosen = director.choose(40.0)
    assert chosen is not None
    assert len(chosen.remarks) == 2


def test_queue_is_bounded_and_the_least_urgent_makes_room() -> None:
    director = Director(DirectorSettings(queue=3))
    for index in range(10):
        director.offer(impulse("chat", float(index), str(index)))
    director.offer(impulse("event", 10.0))
    assert len(director.waiting) == 3
    assert director.dropped == 8
    assert [one.source for one in director.waiting].count("event") == 1


def test_a_rain_of_gifts_is_one_remark_with_their_sum() -> None:
    def gift(member: Member) -> Remark:
        return Remark("event", "", NOON, member, facts={"type": "gift", "amount": 1})

    added = add_up([gift(ANN), gift(ANN), gift(BEN), gift(ANN)])
    assert [(remark.member, remark.facts["amount"]) for remark in added] == [
        (ANN, 2), (BEN, 1), (ANN, 1),
    ]  # fmt: skip
    assert add_up([wrote("a"), wrote("a")]) == (wrote("a"), wrote("a"))
