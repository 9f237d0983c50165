"""A room goes on, whatever its providers and its people do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from studio.people import Loudspeaker
from studio.players import ScriptedEar, ScriptedMind, Spoken, ToneVoice
from studio.studio import Studio, open_studio, quiet_settings
from voxelle.audio import EAR_RATE, FRAME_SECONDS, VOICE_RATE, AudioFrame
from voxelle.events import (
    AudioSpoken,
    ErrorReported,
    Member,
    Notice,
    PlaybackReported,
    TurnEnded,
    TurnStarted,
)
from voxelle.messages import Message, Tool
from voxelle.operations.base import Transcript
from voxelle.streams import Stream

REPLY = "Hello there Ann, how nice to see you here on this fine and sunny day."
LOUD = AudioFrame(np.full(round(EAR_RATE * FRAME_SECONDS), 0.5, np.float32), EAR_RATE)

Make = Callable[..., Studio]


@pytest.fixture
async def studios() -> AsyncIterator[Make]:
    made: list[Studio] = []

    def make(**changes: object) -> Studio:
        made.append(open_studio(lambda _: None, **changes))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for studio in made:
        await studio.close()


async def answers(studio: Studio) -> bool:
    """Ask something, and tell whether she answers aloud."""
    studio.mind.replies = ["Yes, I am here."]
    before = len(studio.speaker.of(AudioSpoken))
    studio.ann.write("are you there?")
    await asyncio.sleep(30.0)
    return len(studio.speaker.of(AudioSpoken)) > before


class HangingEar:
    """Understands the first word, and never anything more."""

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        async for _ in utterance:
            yield Transcript("hello", is_final=False)
        await asyncio.sleep(1e9)


async def test_ear_that_hangs_after_an_utterance_that_came_in_one_burst(studios: Make) -> None:
    studio = studios(stt=HangingEar())
    key = studio.ann.member.key
    for _ in range(50):
        studio.room.hear(key, LOUD)
    while not studio.room._hearing.speakers:  # noqa: ASYNC110 - the very tick matters
        await asyncio.sleep(0)
    studio.room.end_utterance(key)
    await asyncio.sleep(60.0)
    assert studio.speaker.of(ErrorReported)[0].code == "stt_failed"
    assert await answers(studio)


async def test_ear_that_does_not_even_end_when_it_is_closed(studios: Make) -> None:
    class Stubborn(HangingEar):
        async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
            try:
                async for _ in utterance:
                    pass
                await asyncio.sleep(1e9)
                yield Transcript("", is_final=True)
            finally:
                await asyncio.sleep(50.0)

    studio = studios(stt=Stubborn())
    await studio.ann.speak(1.0)
    await studio.ann.pause(20.0)
    assert await answers(studio)


async def test_ear_that_fails_in_a_way_that_it_should_not_is_told(studios: Make) -> None:
    class Broken:
        async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
            raise TypeError("what is this?")
            yield Transcript("", is_final=True)

    studio = studios(stt=Broken(), mind=ScriptedMind([REPLY]))
    studio.ann.write("hi")
    await asyncio.sleep(0.1)
    await studio.ann.speak(0.4)
    await studio.ann.pause(10.0)
    assert studio.speaker.of(ErrorReported)[0].code == "stt_failed"
    assert [end.reason for end in studio.speaker.of(TurnEnded)] == ["finished"]


@pytest.mark.parametrize("piece", ["[happy] ", "aaaaaaaaaa", " ", "\U0001f600"])
async def test_reply_without_an_end_of_anything_is_ended(studios: Make, piece: str) -> None:
    class Endless(ScriptedMind):
        async def reply(
            self, messages: tuple[Message, ...], tools: tuple[Tool, ...] = ()
        ) -> Stream[str]:
            while not self.replies:
                yield piece
                await asyncio.sleep(0.05)
            yield self.replies.pop()

    studio = studios(mind=Endless(), settings=quiet_settings(longest_reply_s=20))
    studio.ann.write("hi")
    await asyncio.sleep(120.0)
    assert len(studio.speaker.of(TurnEnded)) == 1
    assert await answers(studio)


async def test_voice_that_never_ends_a_line_is_ended(studios: Make) -> None:
    class Endless(ToneVoice):
        async def speak(self, line: str) -> Stream[AudioFrame]:
            while True:
                yield AudioFrame(np.full(480, 0.1, np.float32), VOICE_RATE)
                await asyncio.sleep(0.001)

    studio = studios(voice=Endless(), settings=quiet_settings(longest_reply_s=10))
    studio.ann.write("hi")
    await asyncio.sleep(30.0)
    [end] = studio.speaker.of(TurnEnded)
    assert end.reason == "finished"


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.full(480, np.nan, np.float32)])
async def test_voice_that_gives_no_sound_is_a_failure_and_nothing_was_heard(
    studios: Make, samples: np.ndarray
) -> None:
    class Mute(ToneVoice):
        async def speak(self, line: str) -> Stream[AudioFrame]:
            yield AudioFrame(samples, VOICE_RATE)

    studio = studios(voice=Mute(), mind=ScriptedMind([REPLY]))
    studio.ann.write("hi")
    await asyncio.sleep(10.0)
    [end] = studio.speaker.of(TurnEnded)
    assert (end.reason, end.heard) == ("failed", "")


async def test_mind_that_does_not_let_go_frees_the_floor_all_the_same(studios: Make) -> None:
    class Stubborn(ScriptedMind):
        async def reply(
            self, messages: tuple[Message, ...], tools: tuple[Tool, ...] = ()
        ) -> Stream[str]:
            if self.replies:
                yield self.replies.pop()
                return
            try:
                await asyncio.sleep(1e9)
                yield ""
            finally:
                await asyncio.sleep(40.0)

    studio = studios(mind=Stubborn())
    studio.ann.write("hi")
    await asyncio.sleep(1.0)
    studio.room.stop()
    await asyncio.sleep(3.0)
    assert studio.speaker.of(TurnEnded)[0].reason == "interrupted"
    assert await answers(studio)
    await asyncio.sleep(60.0)


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit])
@pytest.mark.parametrize("speculation", ["on", "off"])
async def test_mind_that_gives_up_by_itself_has_failed(
    studios: Make, error: type[BaseException], speculation: str
) -> None:
    class Quitter(ScriptedMind):
        async def reply(
            self, messages: tuple[Message, ...], tools: tuple[Tool, ...] = ()
        ) -> Stream[str]:
            if not self.replies:
                await asyncio.sleep(0.05)
                raise error
            yield self.replies.pop()

    ear = ScriptedEar(*[Spoken("hello you", [(0.4, "hello you")])] * 2)
    studio = studios(ear=ear, mind=Quitter(), settings=quiet_settings(speculation=speculation))
    await studio.ann.speak(0.8)
    await studio.ann.pause(3.0)
    assert [end.reason for end in studio.speaker.of(TurnEnded)] == ["failed"]
    await studio.ann.speak(0.8)
    await studio.ann.pause(3.0)
    assert len(studio.speaker.of(TurnEnded)) == 2
    assert await answers(studio)


@pytest.mark.parametrize("seconds", [1.0, 4.0, 8.0])
async def test_speech_that_comes_in_one_burst_after_a_hiccup_is_heard_whole(
    studios: Make, seconds: float
) -> None:
    ear = ScriptedEar(Spoken("all of it"))
    studio = studios(ear=ear, mind=ScriptedMind([REPLY]))
    await studio.ann.pause(0.5)
    for _ in range(round(seconds / FRAME_SECONDS)):
        studio.room.hear(studio.ann.member.key, LOUD)
    await studio.ann.pause(3.0)
    assert ear.heard_s[0] >= seconds


async def test_nothing_that_was_interrupted_before_a_panic_is_answered_after_it(
    studios: Make,
) -> None:
    ear = ScriptedEar(Spoken("no wait", [(0.3, "no wait")]))
    studio = studios(ear=ear, mind=ScriptedMind(["Wrong."] * 3, first_s=0.6))
    studio.ann.write("hi")
    await asyncio.sleep(0.1)
    await studio.ann.speak(0.4)
    studio.room.silence()
    await studio.ann.pause(5.0)
    begun = len(studio.speaker.of(TurnStarted))
    studio.room.release()
    await asyncio.sleep(10.0)
    assert len(studio.speaker.of(TurnStarted)) == begun


async def test_player_that_lies_does_not_decide_what_another_one_played(studios: Make) -> None:
    class Liar:
        plays_audio = True

        def __init__(self, studio: Studio) -> None:
            self.studio = studio

        def take(self, notice: Notice) -> None:
            if isinstance(notice, AudioSpoken):
                report = PlaybackReported(turn=notice.turn, position=0.0, is_done=True)
                self.studio.room.report(self, report)

    studio = studios(mind=ScriptedMind([REPLY]))
    studio.speaker.reports = False
    studio.room.attach(Liar(studio))
    studio.ann.write("hi")
    await asyncio.sleep(10.0)
    assert [end.heard for end in studio.speaker.of(TurnEnded)] == [REPLY]


async def test_busy_chat_throws_nobody_out_who_takes_part(studios: Make) -> None:
    ear = ScriptedEar(Spoken("can you still hear me?"))
    settings = quiet_settings(most_members=10, director={"idle_s": 0, "answers_text": False})
    studio = studios(ear=ear, mind=ScriptedMind([REPLY]), settings=settings)
    speaking = asyncio.create_task(studio.ann.speak(2.0))
    for number in range(100):
        viewer = Member(platform="twitch", id=str(number), name=f"v{number}")
        studio.room.read(viewer, "hi")
        await asyncio.sleep(0.01)
    await speaking
    await studio.ann.pause(8.0)
    assert len(studio.room.members) == 11
    assert [end.heard for end in studio.speaker.of(TurnEnded)] == [REPLY]


async def test_new_listener_is_told_what_is_to_be_said_now(studios: Make) -> None:
    words = ["the demo"]
    studio = studios(remark=lambda: words[0])
    words[0] = "the config is wrong"
    late = Loudspeaker(studio.room)
    assert studio.room.state.detail == "the config is wrong"
    words[0] = "all is well"
    studio.room.refresh()
    assert studio.room.state.detail == "all is well"
    assert late.notices[-1] == studio.room.state
