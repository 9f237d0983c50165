"""What a room does in the less usual moments of a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from studio.people import Loudspeaker, Person
from studio.players import ScriptedEar, ScriptedMind, Spoken, ToneVoice
from studio.studio import Studio, open_studio, quiet_settings
from voxelle.audio import EAR_RATE, AudioFrame
from voxelle.conversation.rooms import Rooms
from voxelle.events import (
    AudioSpoken,
    ErrorReported,
    Member,
    SetContext,
    StateChanged,
    StreamEventReceived,
    TurnEnded,
    TurnStarted,
    VoiceStopped,
)
from voxelle.operations.base import Transcript
from voxelle.streams import Stream
from voxelle.utils.exceptions import STTError, ValidationError

REPLY = "Hello there Ann, how nice to see you here on this fine and sunny day."


@pytest.fixture
async def studios() -> AsyncIterator[Callable[..., Studio]]:
    made: list[Studio] = []

    def make(**changes: object) -> Studio:
        made.append(open_studio(lambda _: None, **changes))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for studio in made:
        await studio.close()


Make = Callable[..., Studio]


def own(studio: Studio) -> list[str]:
    return [remark.text for remark in studio.room.history.remarks if remark.is_own]


async def test_noise_before_her_first_sound_only_delays_it(studios: Make) -> None:
    studio = studios(ear=ScriptedEar(Spoken("")), mind=ScriptedMind([REPLY]))
    studio.ann.write("hi")
    await asyncio.sleep(0.3)
    await studio.ann.speak(0.4)
    assert not studio.speaker.of(AudioSpoken)
    await studio.ann.pause(8.0)
    assert own(studio) == [REPLY]
    assert len(studio.mind.asked) == 1


async def test_words_before_her_first_sound_are_answered_together_with_the_first(
    studios: Make,
) -> None:
    ear = ScriptedEar(Spoken("tell me"), Spoken("about dragons", [(0.5, "about")]))
    studio = studios(ear=ear, mind=ScriptedMind(["Wrong.", REPLY], first_s=1.0))
    await studio.ann.speak(1.0)
    await studio.ann.pause(0.9)
    await studio.ann.speak(1.0)
    await studio.ann.pause(8.0)
    assert own(studio) == [REPLY]
    words = [message.words for message in studio.mind.asked[-1] if message.role == "user"]
    assert words == ["tell me", "about dragons"]
    assert studio.mind.opened == studio.mind.closed


async def test_operator_who_stops_her_before_the_first_sound_is_not_answered_again(
    studios: Make,
) -> None:
    studio = studios(mind=ScriptedMind([REPLY]))
    studio.ann.write("hi")
    await asyncio.sleep(0.1)
    studio.room.stop()
    await asyncio.sleep(5.0)
    assert not studio.speaker.of(AudioSpoken)
    assert len(studio.mind.asked) == 1


async def test_she_waits_for_a_person_to_finish_before_she_answers_chat(studios: Make) -> None:
    studio = studios(ear=ScriptedEar(Spoken("so then I said")), mind=ScriptedMind([REPLY] * 2))
    speaking = asyncio.create_task(studio.ann.speak(6.0))
    await asyncio.sleep(1.0)
    Person(studio.room, "Ben").write("hi there")
    await asyncio.sleep(4.5)
    assert not studio.speaker.of(TurnStarted)
    await speaking
    await studio.ann.pause(14.0)
    assert [turn.source for turn in studio.speaker.of(TurnStarted)] == ["voice", "chat"]


async def test_ear_that_fails_is_told_and_what_was_understood_before_is_answered(
    studios: Make,
) -> None:
    failure = STTError("the ear is gone", provider="scripted", is_retryable=False)
    ear = ScriptedEar(Spoken("", [(0.5, "hello you")], error=failure), Spoken("", error=failure))
    studio = studios(ear=ear, mind=ScriptedMind([REPLY]))
    await studio.ann.speak(1.0)
    await studio.ann.pause(9.0)
    [error] = studio.speaker.of(ErrorReported)
    assert error.code == "stt_failed"
    assert own(studio) == [REPLY]
    await studio.ann.speak(1.0)
    await studio.ann.pause(3.0)
    assert len(studio.mind.asked) == 1


async def test_she_does_not_talk_over_somebody_whose_ear_has_failed(studios: Make) -> None:
    class DeadEar:
        async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
            raise STTError("there is no ear", provider="dead", is_retryable=False)
            yield Transcript("", is_final=True)

    studio = studios(mind=ScriptedMind([REPLY]), stt=DeadEar())
    speaking = asyncio.create_task(studio.ann.speak(4.0))
    await asyncio.sleep(1.0)
    Person(studio.room, "Ben").write("hi")
    await asyncio.sleep(2.9)
    assert not studio.speaker.of(TurnStarted)
    await speaking
    await studio.ann.pause(8.0)
    assert own(studio) == [REPLY]


async def test_ear_that_never_answers_is_given_up(studios: Make) -> None:
    studio = studios(ear=ScriptedEar(Spoken("late", final_s=999.0)), mind=ScriptedMind([REPLY]))
    await studio.ann.speak(1.0)
    await studio.ann.pause(3.0)
    studio.ann.write("can you read me?")
    await asyncio.sleep(30.0)
    assert own(studio) == [REPLY]
    assert studio.speaker.of(ErrorReported)[0].code == "stt_failed"


async def test_exact_words_are_said_without_asking_the_mind(studios: Make) -> None:
    studio = studios()
    studio.room.say("We are back in five minutes.")
    await asyncio.sleep(5.0)
    assert own(studio) == ["We are back in five minutes."]
    assert studio.mind.asked == []


async def test_direction_and_event_reach_the_mind_as_what_they_are(studios: Make) -> None:
    studio = studios(mind=ScriptedMind(["Thanks for the raid!", "Bye."]))
    ben = Member(platform="twitch", id="7", name="Ben")
    studio.room.happen(StreamEventReceived(event="raid", member=ben, amount=12))
    await asyncio.sleep(5.0)
    studio.room.direct("Say good-bye.")
    await asyncio.sleep(5.0)
    raid, direction = (asked[-1] for asked in studio.mind.asked)
    assert raid.kind == "event"
    assert raid.facts["type"] == "raid"
    assert raid.facts["amount"] == 12
    assert direction.kind == "direction"
    assert "Say good-bye." in direction.text


async def test_contexts_are_shown_for_one_answer_or_until_they_are_dropped(studios: Make) -> None:
    studio = studios(mind=ScriptedMind(["One.", "Two.", "Three."]))
    studio.room.inform(SetContext(id="game", name="Game", text="The score is 3 to 1."))
    birthday = SetContext(id="note", name="Note", text="Ann has a birthday.", scope="request")
    studio.room.inform(birthday)
    for text in ("a", "b", "c"):
        if text == "c":
            studio.room.drop_context("game")
        studio.ann.write(text)
        await asyncio.sleep(4.0)
    shown = ["\n".join(message.text for message in asked) for asked in studio.mind.asked]
    assert ["3 to 1" in text for text in shown] == [True, True, False]
    assert ["birthday" in text for text in shown] == [True, False, False]


async def test_gifts_that_rain_are_thanked_for_once_with_their_sum(studios: Make) -> None:
    studio = studios(mind=ScriptedMind([REPLY, "Thank you for all of them!"]))
    studio.ann.write("hi")
    await asyncio.sleep(1.0)
    ben = Member(platform="twitch", id="7", name="Ben")
    for _ in range(20):
        studio.room.happen(StreamEventReceived(event="gift", member=ben, amount=1))
    await asyncio.sleep(20.0)
    assert len(studio.mind.asked) == 2
    gifts = [message for message in studio.mind.asked[1] if message.kind == "event"]
    assert [gift.facts["amount"] for gift in gifts] == [20]


async def test_nobody_unknown_and_no_strange_sound_is_heard(studios: Make) -> None:
    studio = studios()
    with pytest.raises(ValidationError, match="member_joined"):
        studio.room.hear(("browser", "ghost"), AudioFrame(np.zeros(320, np.float32), EAR_RATE))
    with pytest.raises(ValidationError, match="16000 Hz"):
        studio.room.hear(studio.ann.member.key, AudioFrame(np.zeros(960, np.float32), 48_000))


async def test_member_who_leaves_while_speaking_is_still_answered(studios: Make) -> None:
    ear = ScriptedEar(Spoken("I have to go, what do you think?"))
    studio = studios(ear=ear, mind=ScriptedMind([REPLY]))
    await studio.ann.speak(1.0)
    studio.room.leave(studio.ann.member.key)
    await asyncio.sleep(8.0)
    assert own(studio) == [REPLY]


async def test_speech_of_a_source_that_is_ignored_neither_stops_nor_blocks_her(
    studios: Make,
) -> None:
    settings = quiet_settings(barge_in={"policies": {"tv": "ignore"}})
    studio = studios(mind=ScriptedMind([REPLY]), settings=settings)
    tv = Person(studio.room, "News", "tv")
    talking = asyncio.create_task(tv.speak(12.0))
    await asyncio.sleep(1.0)
    studio.ann.write("hi")
    await asyncio.sleep(8.0)
    assert own(studio) == [REPLY]
    assert not studio.speaker.of(VoiceStopped)
    await talking


async def test_listener_that_never_reports_is_judged_by_the_clock(studios: Make) -> None:
    studio = studios(mind=ScriptedMind([REPLY]))
    studio.speaker.reports = False
    studio.ann.write("hi")
    await asyncio.sleep(2.5)
    studio.room.stop()
    await asyncio.sleep(0.5)
    [heard] = own(studio)
    assert REPLY.startswith(heard)
    assert abs(len(heard.split()) - (2.5 - 0.65) / 0.25) <= 1.5


async def test_heard_is_within_a_word_of_what_the_loudspeaker_played(studios: Make) -> None:
    for after in (1.0, 1.33, 1.71, 2.2, 2.9, 3.6):
        studio = studios(mind=ScriptedMind([REPLY]), voice=ToneVoice(word_s=0.24))
        studio.ann.write("hi")
        await asyncio.sleep(after)
        studio.room.stop()
        await asyncio.sleep(0.5)
        played = studio.speaker.stopped_after[1]
        heard = len(own(studio)[0].split()) if own(studio) else 0
        assert played / 0.24 - 1 <= heard <= (played + 0.04) / 0.24


async def test_reply_without_end_is_brought_to_its_end(studios: Make) -> None:
    settings = quiet_settings(longest_reply_s=5)
    studio = studios(mind=ScriptedMind(["On and on and on we go. " * 200]), settings=settings)
    studio.ann.write("hi")
    await asyncio.sleep(30.0)
    [end] = studio.speaker.of(TurnEnded)
    assert end.reason == "finished"
    assert 5.0 <= len(end.heard.split()) * 0.25 <= 8.0
    assert studio.mind.opened == studio.mind.closed


async def test_who_attaches_late_is_told_the_state(studios: Make) -> None:
    studio = studios()
    studio.room.silence()
    late = Loudspeaker(studio.room)
    assert [state.state for state in late.of(StateChanged)] == ["silenced"]


async def test_ears_are_bounded_and_those_heard_longest_ago_give_way(studios: Make) -> None:
    studio = studios(settings=quiet_settings(most_ears=2, most_members=4))
    for name in ("A", "B", "C", "D", "E"):
        await Person(studio.room, name).pause(0.1)
    assert len(studio.room.members) == 4
    assert len(studio.cast.vad) == 2


async def test_rooms_are_bounded_and_apart() -> None:
    studio = open_studio(lambda _: None, mind=ScriptedMind([REPLY, "For the other room."]))
    async with Rooms(studio.cast, quiet_settings(most_rooms=2)) as rooms:
        one, two = rooms.room("one"), rooms.room("two")
        assert rooms.room("one") is one
        with pytest.raises(ValidationError, match="most_rooms"):
            rooms.room("three")
        with pytest.raises(ValidationError, match="name"):
            rooms.room("")
        ann = Member(platform="chat", id="ann", name="Ann")
        one.read(ann, "hi")
        two.read(ann, "hello")
        one.silence()
        await asyncio.sleep(6.0)
        assert [remark.is_own for remark in one.history.remarks] == [False]
        assert [remark.is_own for remark in two.history.remarks] == [False, True]
        await rooms.close("one")
        assert rooms.find("one") is None
        assert [room.name for room in rooms] == ["two"]
    await studio.close()


async def test_closing_a_room_ends_every_task_of_it() -> None:
    before = len(asyncio.all_tasks())
    studio = open_studio(lambda _: None, mind=ScriptedMind([REPLY]), ear=ScriptedEar(Spoken("x")))
    studio.ann.write("hi")
    await asyncio.sleep(1.0)
    await studio.ann.speak(0.5)
    await studio.close()
    assert len(asyncio.all_tasks()) == before
    assert studio.mind.opened == studio.mind.closed
    assert studio.ear.closed == 1


async def test_other_settings_are_followed_without_a_break(studios: Make) -> None:
    ear = ScriptedEar(Spoken("one"), Spoken("two"), Spoken("stop now", [(0.4, "stop now")]))
    studio = studios(ear=ear, mind=ScriptedMind([REPLY, REPLY * 3]))
    await studio.ann.speak(1.0)
    await studio.ann.pause(0.5)
    settings = quiet_settings(
        endpointing={"unsure_s": 1.1},
        barge_in={"policies": {"browser": "ignore"}},
        history=10,
    )
    studio.room.resettle(settings)
    await studio.ann.pause(6.0)
    assert own(studio) == [REPLY]
    await studio.ann.speak(1.0)
    ended = asyncio.get_running_loop().time()
    while studio.room.state.state != "thinking":
        await studio.ann.pause(0.02)
    assert asyncio.get_running_loop().time() - ended > 1.0
    await studio.ann.pause(2.0)
    await studio.ann.speak(1.0)
    await studio.ann.pause(14.0)
    assert not studio.speaker.of(VoiceStopped)


async def test_idle_may_be_switched_on_while_it_is_quiet(studios: Make) -> None:
    studio = studios(mind=ScriptedMind(["So quiet."]))
    await asyncio.sleep(100.0)
    studio.room.resettle(quiet_settings(director={"idle_s": 20}))
    await asyncio.sleep(25.0)
    assert own(studio) == ["So quiet."]
