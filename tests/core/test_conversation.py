"""Whole conversations on virtual time, each with its golden trace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from studio.people import Person
from studio.players import ScriptedEar, ScriptedMind, Spoken, ToneVoice
from studio.providers import SpareVoice, TwoVoices
from studio.studio import open_studio, quiet_settings
from voxelle.events import AudioSpoken, TurnEnded, VoiceStopped
from voxelle.operations.patience import Patience
from voxelle.operations.registry import Choice

Trace = Callable[[str], None]

REPLY = "Hello there Ann, how nice. [happy] I was just thinking about castles and dragons today."


async def test_plain_turn_is_heard_to_the_end(trace: Trace) -> None:
    ear = ScriptedEar(Spoken("what is new?", [(0.6, "what"), (1.0, "what is new?")]))
    studio = open_studio(trace, ear=ear, mind=ScriptedMind([REPLY]))
    await studio.ann.speak(1.2)
    await studio.ann.pause(8.0)
    assert studio.room.history.remarks[-1].text == REPLY.replace("[happy] ", "")
    assert [remark.is_own for remark in studio.room.history.remarks] == [False, True]
    await studio.close()


async def test_barge_in_keeps_only_what_was_heard(trace: Trace) -> None:
    ear = ScriptedEar(
        Spoken("tell me a story", [(0.8, "tell me")]),
        Spoken("no wait stop", [(0.6, "no wait")]),
    )
    studio = open_studio(trace, ear=ear, mind=ScriptedMind([REPLY, "All right, I stop."]))
    await studio.ann.speak(1.2)
    await studio.ann.pause(2.9)
    trace("person      Ann begins to talk over her")
    await studio.ann.speak(1.0)
    await studio.ann.pause(5.0)
    heard = studio.room.history.remarks[1]
    assert heard.is_own
    assert REPLY.replace("[happy] ", "").startswith(heard.text)
    assert 0 < len(heard.text) < len(REPLY)
    assert studio.speaker.late_frames == 0
    await studio.close()


async def test_back_channel_does_not_stop_her(trace: Trace) -> None:
    ear = ScriptedEar(
        Spoken("tell me a story", [(0.8, "tell me")]), Spoken("mhm yeah", [(0.5, "mhm")])
    )
    studio = open_studio(trace, ear=ear, mind=ScriptedMind([REPLY]))
    await studio.ann.speak(1.2)
    await studio.ann.pause(2.9)
    await studio.ann.speak(0.6)
    await studio.ann.pause(5.0)
    assert not studio.speaker.of(VoiceStopped)
    assert [remark.text for remark in studio.room.history.remarks if remark.is_own] == [
        REPLY.replace("[happy] ", "")
    ]
    await studio.close()


async def test_two_who_speak_at_once_are_both_heard_and_answered_together(trace: Trace) -> None:
    ear = ScriptedEar(
        Spoken("do you like pizza", [(0.8, "do you like")]), Spoken("or rather pasta")
    )
    studio = open_studio(trace, ear=ear, mind=ScriptedMind(["I like both of them."]))
    ben = Person(studio.room, "Ben")

    async def second() -> None:
        await ben.pause(0.6)
        await ben.speak(1.6)
        await ben.pause(4.0)

    async with asyncio.TaskGroup() as people:
        people.create_task(second())
        await studio.ann.speak(1.0)
        await studio.ann.pause(5.0)
    [asked] = studio.mind.asked
    assert [(m.speaker, m.words) for m in asked if m.role == "user"] == [
        ("Ann", "do you like pizza"),
        ("Ben", "or rather pasta"),
    ]
    await studio.close()


async def test_voice_that_breaks_in_a_sentence_goes_on_with_its_next_word(trace: Trace) -> None:
    studio = open_studio(trace, mind=ScriptedMind([REPLY]), voice=ToneVoice(breaks_after_s=0.6))
    studio.ann.write("hi")
    await asyncio.sleep(8.0)
    assert studio.room.history.remarks[-1].text == REPLY.replace("[happy] ", "")
    await studio.close()


async def test_fallback_voice_says_the_rest_of_a_sentence_that_broke_off(trace: Trace) -> None:
    voices = TwoVoices(Patience(tries=1))  # retries wait for a random time
    SpareVoice.lines.clear()
    await voices.use([Choice(id="dying"), Choice(id="spare")])
    voices.on_change(lambda status: trace(f"voice       {status.state}: {status.name}"))
    mind = ScriptedMind([REPLY, "And I am still here."])
    studio = open_studio(trace, mind=mind, tts=voices)
    studio.ann.write("hi")
    await asyncio.sleep(12.0)
    studio.ann.write("are you well?")
    await asyncio.sleep(6.0)
    own = [remark.text for remark in studio.room.history.remarks if remark.is_own]
    assert own == [REPLY.replace("[happy] ", ""), "And I am still here."]
    assert SpareVoice.lines[0] == "Ann, how nice."
    await studio.close()
    await voices.close()


async def test_mind_that_breaks_in_a_sentence_ends_the_turn_and_not_the_show(trace: Trace) -> None:
    mind = ScriptedMind([REPLY, "Here I am again."], breaks_after=9)
    studio = open_studio(trace, mind=mind)
    studio.ann.write("hi")
    await asyncio.sleep(6.0)
    studio.ann.write("still there?")
    await asyncio.sleep(6.0)
    ends = [end for end in studio.speaker.notices if isinstance(end, TurnEnded)]
    assert [end.reason for end in ends] == ["failed", "finished"]
    await studio.close()


async def test_panic_is_silence_until_release(trace: Trace) -> None:
    ear = ScriptedEar(Spoken("are you there?"), Spoken("and now?"))
    studio = open_studio(trace, ear=ear, mind=ScriptedMind([REPLY, "Yes, I am back."]))
    studio.ann.write("hi")
    await asyncio.sleep(2.0)
    trace("operator    silence")
    studio.room.silence()
    sounds = len(studio.speaker.of(AudioSpoken))
    await studio.ann.speak(1.0)
    await studio.ann.pause(3.0)
    assert len(studio.speaker.of(AudioSpoken)) == sounds
    trace("operator    release")
    studio.room.release()
    await asyncio.sleep(3.0)
    assert len(studio.speaker.of(AudioSpoken)) == sounds
    await studio.ann.speak(1.0)
    await studio.ann.pause(4.0)
    assert len(studio.speaker.of(AudioSpoken)) > sounds
    await studio.close()


async def test_after_a_long_silence_she_speaks_by_herself_ever_more_rarely(trace: Trace) -> None:
    mind = ScriptedMind(["So quiet here.", "Still nobody.", "Oh, hello Ann."])
    settings = quiet_settings(director={"idle_s": 30})
    studio = open_studio(trace, mind=mind, settings=settings)
    await asyncio.sleep(120.0)
    studio.ann.write("I am here!")
    await asyncio.sleep(6.0)
    assert [asked[-1].kind for asked in mind.asked] == ["idle", "idle", "wrote"]
    await studio.close()


async def test_speculation_that_comes_true_answers_at_the_decision(trace: Trace) -> None:
    ear = ScriptedEar(Spoken("what is new", [(1.0, "what is new")], final_s=0.02))
    settings = quiet_settings(speculation="on")
    studio = open_studio(trace, ear=ear, mind=ScriptedMind([REPLY]), settings=settings)
    await studio.ann.speak(1.2)
    await studio.ann.pause(7.0)
    assert len(studio.mind.asked) == 1
    await studio.close()


async def test_speculation_that_was_wrong_leaves_no_trace(trace: Trace) -> None:
    ear = ScriptedEar(
        Spoken("tell me about the castle", [(0.8, "tell me"), (1.9, "tell me about the castle")])
    )
    settings = quiet_settings(speculation="on")
    studio = open_studio(trace, ear=ear, mind=ScriptedMind(["Wrong.", REPLY]), settings=settings)
    await studio.ann.speak(1.0)
    await studio.ann.pause(0.4)
    await studio.ann.speak(0.8)
    await studio.ann.pause(8.0)
    assert [remark.text for remark in studio.room.history.remarks] == [
        "tell me about the castle",
        REPLY.replace("[happy] ", ""),
    ]
    assert studio.mind.opened == studio.mind.closed == 2
    await studio.close()


async def test_hot_swap_between_turns_changes_the_voice_of_the_next_one(trace: Trace) -> None:
    studio = open_studio(trace, mind=ScriptedMind(["This is the old voice.", "And here the new."]))
    studio.ann.write("one")
    await asyncio.sleep(1.0)
    new = ToneVoice(word_s=0.5)
    studio.room.recast(replace(studio.cast, tts=new))
    trace("operator    swaps the voice")
    studio.ann.write("two")
    await asyncio.sleep(8.0)
    assert studio.voice.lines == ["This is the old voice."]
    assert new.lines == ["And here the new."]
    await studio.close()


@pytest.mark.parametrize("after", [0.0, 0.05, 0.31, 0.5, 0.6, 0.9, 1.5, 3.0, 5.0])
async def test_nothing_works_on_after_an_interruption(after: float) -> None:
    studio = open_studio(lambda _: None, mind=ScriptedMind([REPLY * 5]))
    before = len(asyncio.all_tasks())
    studio.ann.write("hi")
    await asyncio.sleep(after)
    studio.room.stop()
    await asyncio.sleep(0.5)
    assert studio.mind.opened == studio.mind.closed
    assert studio.voice.opened == studio.voice.closed
    assert len(asyncio.all_tasks()) == before
    assert studio.speaker.late_frames == 0
    await studio.close()
