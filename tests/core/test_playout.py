from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TypeVar

import numpy as np
import pytest

from voxelle.audio import FRAME_SECONDS, VOICE_RATE, AudioFrame, Mark
from voxelle.conversation.audience import Audience
from voxelle.conversation.clock import OutputClock
from voxelle.conversation.playout import Playout
from voxelle.conversation.script import Line
from voxelle.conversation.settings import ConversationSettings
from voxelle.events import (
    AudioEnded,
    AudioSpoken,
    CaptionSpoken,
    ExpressionChanged,
    Notice,
    PhonemesSpoken,
    PlaybackReported,
    VoiceDucked,
    VoiceStopped,
)
from voxelle.text import Clause, Cue

N = TypeVar("N")

SETTINGS = ConversationSettings()


class Player:
    def __init__(self, *, plays_audio: bool = True) -> None:
        self.plays_audio = plays_audio
        self.notices: list[tuple[float, Notice]] = []

    def take(self, notice: Notice) -> None:
        self.notices.append((asyncio.get_running_loop().time(), notice))

    def times(self, kind: type) -> list[float]:
        return [at for at, notice in self.notices if isinstance(notice, kind)]

    def all(self, kind: type[N]) -> list[N]:
        return [notice for _, notice in self.notices if isinstance(notice, kind)]


class Stage:
    def __init__(self) -> None:
        self.audience = Audience()
        self.clock = OutputClock()
        self.player = Player()
        self.audience.attach(self.player)
        self.playout = Playout(1, self.audience, self.clock, SETTINGS, lambda: None)

    async def feed(self, line: Line, seconds: float, *, pace_s: float = 0.0) -> None:
        for index in range(round(seconds / FRAME_SECONDS)):
            samples = np.zeros(round(VOICE_RATE * FRAME_SECONDS), np.float32)
            line.seconds += FRAME_SECONDS
            await self.playout.put(line, AudioFrame(samples, VOICE_RATE, index * FRAME_SECONDS))
            await asyncio.sleep(pace_s)
        line.is_complete = True


def a_line(text: str = "one two three four", **changes: object) -> Line:
    return Line(Clause(text, **changes))  # type: ignore[arg-type] # a test names what it changes


async def test_nothing_is_sent_before_it_is_open() -> None:
    stage = Stage()
    await stage.feed(a_line(), 2.0)
    assert not stage.player.notices
    stage.playout.open()
    assert stage.player.times(AudioSpoken)[0] == 0.0


async def test_sound_is_sent_a_bounded_lead_ahead_of_real_time() -> None:
    stage = Stage()
    stage.playout.open()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stage.feed(a_line(), 4.0))
        await asyncio.sleep(2.0)
        sent = len(stage.player.all(AudioSpoken)) * FRAME_SECONDS
        assert 2.0 + SETTINGS.lead_s - 0.021 <= sent <= 2.0 + SETTINGS.lead_s + 0.021
        await stage.playout.finish()
    assert stage.player.times(AudioEnded) == [pytest.approx(4.0 - SETTINGS.lead_s, abs=0.021)]
    starts = [notice.start for notice in stage.player.all(AudioSpoken)]
    assert all(b - a == pytest.approx(FRAME_SECONDS) for a, b in pairwise(starts))


async def test_voice_is_never_made_further_ahead_than_allowed() -> None:
    stage = Stage()
    async with asyncio.TaskGroup() as tasks:
        feeding = tasks.create_task(stage.feed(a_line(), 60.0))
        await asyncio.sleep(0.1)
        assert stage.playout.fed_s <= SETTINGS.ahead_s + FRAME_SECONDS + 1e-6
        feeding.cancel()


async def test_slow_voice_goes_on_from_where_the_listeners_ran_dry() -> None:
    stage = Stage()
    stage.playout.open()
    line = a_line()
    await stage.feed(line, 0.2)
    await asyncio.sleep(1.0)
    line.is_complete = False
    await stage.feed(line, 0.2)
    await stage.playout.finish()
    assert asyncio.get_running_loop().time() == pytest.approx(1.2, abs=0.01)  # not 0.4
    assert stage.playout.heard_s() == pytest.approx(0.4)


async def test_stop_is_told_at_once_and_nothing_follows() -> None:
    stage = Stage()
    stage.playout.open()
    async with asyncio.TaskGroup() as tasks:
        feeding = tasks.create_task(stage.feed(a_line(), 4.0))
        await asyncio.sleep(1.0)
        stage.playout.stop()
        feeding.cancel()
    assert stage.player.times(VoiceStopped) == [1.0]
    frames = len(stage.player.all(AudioSpoken))
    await asyncio.sleep(1.0)
    assert len(stage.player.all(AudioSpoken)) == frames
    assert stage.playout.heard_s() == pytest.approx(1.0, abs=0.021)


async def test_reports_of_listeners_are_believed_rather_than_the_clock() -> None:
    stage = Stage()
    stage.playout.open()
    async with asyncio.TaskGroup() as tasks:
        feeding = tasks.create_task(stage.feed(a_line(), 4.0))
        await asyncio.sleep(1.0)
        stage.playout.report(stage.player, PlaybackReported(turn=1, position=0.7))
        assert stage.playout.heard_s() == pytest.approx(0.7)
        await asyncio.sleep(0.1)
        assert stage.playout.heard_s() == pytest.approx(0.8)
        stage.playout.report(stage.player, PlaybackReported(turn=7, position=99.0))
        stage.playout.stop()
        feeding.cancel()
        await asyncio.sleep(0.05)
        stage.playout.report(stage.player, PlaybackReported(turn=1, position=0.85, is_done=True))
        await stage.playout.settle()
    assert stage.playout.heard_s() == pytest.approx(0.85)


async def test_claim_to_have_played_more_than_was_sent_is_not_believed() -> None:
    stage = Stage()
    stage.playout.open()
    async with asyncio.TaskGroup() as tasks:
        feeding = tasks.create_task(stage.feed(a_line(), 4.0))
        await asyncio.sleep(1.0)
        stage.playout.report(stage.player, PlaybackReported(turn=1, position=1e9))
        assert stage.playout.heard_s() <= 1.0 + SETTINGS.lead_s + FRAME_SECONDS
        feeding.cancel()


async def test_after_a_stop_a_listener_that_stays_mute_is_not_waited_for_long() -> None:
    stage = Stage()
    stage.playout.open()
    await stage.feed(a_line(), 1.0)
    stage.playout.report(stage.player, PlaybackReported(turn=1, position=0.0))
    stage.playout.stop()
    start = asyncio.get_running_loop().time()
    await stage.playout.settle()
    assert asyncio.get_running_loop().time() - start == pytest.approx(0.25)


async def test_turn_is_over_when_every_listener_that_reports_has_played_it() -> None:
    stage = Stage()
    stage.playout.open()
    await stage.feed(a_line(), 1.0)
    stage.playout.report(stage.player, PlaybackReported(turn=1, position=0.5))
    loop = asyncio.get_running_loop()
    done = PlaybackReported(turn=1, position=1.0, is_done=True)
    loop.call_at(1.6, stage.playout.report, stage.player, done)
    await stage.playout.finish()
    assert loop.time() == pytest.approx(1.6)


async def test_listener_that_goes_away_is_not_waited_for() -> None:
    stage = Stage()
    stage.playout.open()
    await stage.feed(a_line(), 1.0)
    stage.playout.report(stage.player, PlaybackReported(turn=1, position=0.5))
    asyncio.get_running_loop().call_at(1.2, stage.playout.forget, stage.player)
    await stage.playout.finish()
    assert asyncio.get_running_loop().time() == pytest.approx(1.2)


async def test_ducking_is_told_once_and_taken_back_once() -> None:
    stage = Stage()
    stage.playout.duck(-18.0)
    stage.playout.open()
    await stage.feed(a_line(), 1.0)
    for _ in range(3):
        stage.playout.duck(-18.0)
    for _ in range(3):
        stage.playout.unduck()
    gains = [notice.gain_db for notice in stage.player.all(VoiceDucked)]
    assert gains == [-18.0, 0.0]


async def test_only_players_get_sound_and_everybody_gets_captions() -> None:
    stage = Stage()
    reader = Player(plays_audio=False)
    stage.audience.attach(reader)
    stage.playout.open()
    await stage.feed(a_line(), 1.0)
    await stage.playout.finish()
    assert not reader.all(AudioSpoken)
    words = [word.text for notice in reader.all(CaptionSpoken) for word in notice.words]
    assert words == ["one", "two", "three", "four"]


async def test_cues_come_at_their_word_and_lone_ones_at_the_end() -> None:
    stage = Stage()
    stage.playout.open()
    text = "one two three four"
    await stage.feed(
        a_line(text, cues=(Cue("happy", text.index("three")), Cue("sad", len(text)))), 2.0
    )
    await stage.playout.finish()
    cues = stage.player.all(ExpressionChanged)
    [happy, sad] = [(cue.expression, cue.start) for cue in cues]
    assert [happy[0], sad[0]] == ["happy", "sad"]
    assert happy[1] == pytest.approx(0.9, abs=0.25)
    assert sad[1] == pytest.approx(2.0, abs=0.05)


async def test_phonemes_are_passed_on_in_seconds_of_the_turn() -> None:
    stage = Stage()
    stage.playout.open()
    await stage.feed(a_line(), 0.5)
    second = Line(Clause("five"), index=1, offset=0.5, seconds=0.02, is_complete=True)
    frame = AudioFrame(np.zeros(480, np.float32), VOICE_RATE, 0.0, (Mark("phoneme", "f", 0.01),))
    await stage.playout.put(second, frame)
    await stage.playout.finish()
    [told] = stage.player.all(PhonemesSpoken)
    assert told.phonemes[0].start == pytest.approx(0.51)
    assert told.phonemes[0].text == "f"
