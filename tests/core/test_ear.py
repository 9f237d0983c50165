from __future__ import annotations

import asyncio

import numpy as np
import pytest

from studio.players import LoudnessVad
from voxelle.audio import EAR_RATE, FRAME_SECONDS, AudioFrame
from voxelle.conversation.ear import PRE_ROLL_S, Ear
from voxelle.conversation.segmenter import Change
from voxelle.conversation.settings import EndpointingSettings
from voxelle.events import Member
from voxelle.operations.vad.shared import SharedVad
from voxelle.utils.exceptions import ValidationError

ANN = Member(platform="browser", id="ann", name="Ann")
FRAME = round(EAR_RATE * FRAME_SECONDS)


class Notes:
    def __init__(self) -> None:
        self.changes: list[tuple[float, Change]] = []

    def speech_changed(self, ear: Ear, change: Change) -> None:
        self.changes.append((asyncio.get_running_loop().time(), change))

    def speech_goes_on(self, ear: Ear) -> None:
        pass

    def times(self, change: Change) -> list[float]:
        return [at for at, told in self.changes if told is change]


def make_ear() -> tuple[Ear, Notes]:
    notes = Notes()
    return Ear(ANN, SharedVad(LoudnessVad()), EndpointingSettings(), notes), notes


async def hear(ear: Ear, seconds: float, level: float) -> None:
    for _ in range(round(seconds / FRAME_SECONDS)):
        ear.hear(AudioFrame(np.full(FRAME, level, np.float32), EAR_RATE))
        await asyncio.sleep(FRAME_SECONDS)


async def sound_of(ear: Ear) -> np.ndarray:
    assert ear.utterance is not None
    return np.concatenate([frame.samples async for frame in ear.utterance.frames()])


async def test_first_syllable_is_not_lost() -> None:
    ear, notes = make_ear()
    await hear(ear, 1.0, 0.01)
    await hear(ear, 1.0, 0.5)
    await hear(ear, 1.0, 0.01)
    assert [change for _, change in notes.changes] == [
        Change.STARTED, Change.PAUSED, Change.ENDED,
    ]  # fmt: skip
    sound = await sound_of(ear)
    loud = np.flatnonzero(np.abs(sound) > 0.1)
    assert len(loud) == EAR_RATE
    before = loud[0] / EAR_RATE
    assert 0.2 <= before <= PRE_ROLL_S + 2 * FRAME_SECONDS


async def test_silence_that_is_not_sent_ends_an_utterance_all_the_same() -> None:
    ear, notes = make_ear()
    await hear(ear, 1.0, 0.5)
    await asyncio.sleep(5.0)
    [ended] = notes.times(Change.ENDED)
    assert 1.6 <= ended <= 1.85  # the unsure wait, and 0.1 s to notice that nothing comes


async def test_frames_that_come_late_and_in_a_burst_do_not_end_the_utterance() -> None:
    ear, notes = make_ear()
    await hear(ear, 1.0, 0.5)
    await asyncio.sleep(0.4)
    for _ in range(20):
        ear.hear(AudioFrame(np.full(FRAME, 0.5, np.float32), EAR_RATE))
    await hear(ear, 0.5, 0.5)
    assert not notes.times(Change.ENDED)


async def test_letting_go_of_the_talk_key_ends_the_utterance_at_once() -> None:
    ear, notes = make_ear()
    await hear(ear, 1.0, 0.5)
    ear.finish()
    assert notes.times(Change.ENDED) == [pytest.approx(1.0)]
    ear.finish()
    assert len(notes.times(Change.ENDED)) == 1


async def test_pauses_within_an_utterance_are_learned() -> None:
    ear, notes = make_ear()
    before = ear.endpointing.silence_s("tell me")
    for _ in range(5):
        await hear(ear, 0.5, 0.5)
        await hear(ear, 0.5, 0.0)
    await hear(ear, 0.5, 0.5)
    assert not notes.times(Change.ENDED)
    assert ear.endpointing.silence_s("tell me") >= before


async def test_speech_that_goes_on_right_after_its_end_teaches_patience() -> None:
    ear, _ = make_ear()
    for _ in range(6):
        await hear(ear, 0.6, 0.5)
        await hear(ear, 0.8, 0.0)
    assert ear.endpointing.silence_s("tell me") > 0.8


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (AudioFrame(np.zeros(960, np.float32), 48_000), "16000 Hz, not 48000 Hz"),
        (AudioFrame(np.full(FRAME, np.nan, np.float32), EAR_RATE), "only finite"),
        (AudioFrame(np.full(FRAME, np.inf, np.float32), EAR_RATE), "only finite"),
    ],
)
async def test_what_is_no_sound_is_refused_and_harms_nothing(frame: AudioFrame, says: str) -> None:
    ear, notes = make_ear()
    await hear(ear, 0.5, 0.5)
    with pytest.raises(ValidationError, match=says):
        ear.hear(frame)
    await hear(ear, 0.5, 0.5)
    await hear(ear, 1.0, 0.0)
    assert len(notes.times(Change.ENDED)) == 1


async def test_closing_ends_what_is_being_said() -> None:
    ear, notes = make_ear()
    await hear(ear, 1.0, 0.5)
    ear.close()
    assert len(notes.times(Change.ENDED)) == 1
    await asyncio.sleep(2.0)
    assert len(notes.changes) == 2
