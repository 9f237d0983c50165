"""What every ear must do, asked of every ear that can run here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise

import numpy as np
import pytest

from contracts.providers import EARS, chosen
from voxelle.audio import AudioFrame, Samples
from voxelle.operations.base import Transcript
from voxelle.operations.stt.manager import STTManager
from voxelle.streams import Stream
from voxelle.utils.exceptions import ValidationError

pytestmark = pytest.mark.real_time


@pytest.fixture(params=sorted(STTManager.registry.places()))
async def ear(request: pytest.FixtureRequest) -> AsyncIterator[STTManager]:
    async with chosen(EARS, request.param) as choice:
        manager = STTManager()
        await manager.use([choice])
        yield manager
        await manager.close()


def buzz(seconds: float) -> Samples:
    """Something like a voice: a gliding buzz in syllables."""
    times = np.arange(round(seconds * 16_000)) / 16_000
    phase = 2 * np.pi * np.cumsum(130 + 30 * np.sin(2 * np.pi * times)) / 16_000
    voice = sum(np.sin(k * phase) / k for k in range(1, 15))
    return (0.2 * voice * np.abs(np.sin(2 * np.pi * 2 * times))).astype(np.float32)


class Speech:
    """An utterance that remembers what became of it."""

    def __init__(
        self, samples: Samples, size: int = 320, *, rate: int = 16_000, endless: bool = False
    ) -> None:
        self.samples, self.size, self.rate, self.endless = samples, size, rate, endless
        self.error: Exception | None = None
        self.is_closed = False

    async def frames(self) -> Stream[AudioFrame]:
        try:
            for first in range(0, len(self.samples), self.size):
                piece = self.samples[first : first + self.size]
                yield AudioFrame(piece, self.rate, first / self.rate)
                await asyncio.sleep(0)
            if self.error:
                raise self.error
            if self.endless:
                await asyncio.Event().wait()
        finally:
            self.is_closed = True


async def hear(ear: STTManager, speech: Speech) -> list[Transcript]:
    async with aclosing(ear.transcribe(speech.frames())) as transcripts:
        return [transcript async for transcript in transcripts]


@pytest.mark.parametrize("size", [37, 320, 5_000, 100_000])
async def test_final_is_the_last_and_only_one_however_the_sound_is_cut(
    ear: STTManager, size: int
) -> None:
    speech = Speech(buzz(1.2), size)
    given = await hear(ear, speech)
    assert [transcript.is_final for transcript in given] == [False] * (len(given) - 1) + [True]
    assert all(transcript.text == transcript.text.strip() for transcript in given)
    assert speech.is_closed


async def test_every_partial_says_something_new(ear: STTManager) -> None:
    partials = [one.text for one in (await hear(ear, Speech(buzz(2.0))))[:-1]]
    assert all(before != after for before, after in pairwise(["", *partials]))


async def test_nothing_said_is_an_empty_final(ear: STTManager) -> None:
    assert await hear(ear, Speech(buzz(0.0))) == [Transcript("", is_final=True)]


@pytest.mark.parametrize("seconds", [0.001, 0.05, 0.8])
async def test_digital_silence_ends_with_one_final(ear: STTManager, seconds: float) -> None:
    given = await hear(ear, Speech(np.zeros(round(16_000 * seconds), np.float32)))
    assert [transcript.is_final for transcript in given].count(True) == 1


async def test_far_too_loud_sound_does_no_harm(ear: STTManager) -> None:
    given = await hear(ear, Speech(buzz(0.6) * np.float32(1e6)))
    assert given[-1].is_final


@pytest.mark.parametrize(
    ("speech", "sentence"),
    [
        (Speech(buzz(0.2), rate=44_100), "16000 Hz"),
        (Speech(np.full(640, np.nan, np.float32)), "not numbers"),
        (Speech(np.full(640, np.inf, np.float32)), "not numbers"),
        (Speech(np.zeros((640, 2), np.float32)), "mono"),
    ],
)
async def test_sound_that_is_no_speech_is_refused_with_a_sentence(
    ear: STTManager, speech: Speech, sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        await hear(ear, speech)
    assert speech.is_closed
    assert (await hear(ear, Speech(buzz(0.3))))[-1].is_final


async def test_failure_of_the_utterance_reaches_the_reader(ear: STTManager) -> None:
    speech = Speech(buzz(0.4))
    speech.error = ValidationError("the microphone was pulled out")
    with pytest.raises(ValidationError, match="pulled out"):
        await hear(ear, speech)
    assert speech.is_closed


async def test_cancelled_reader_closes_the_utterance_and_frees_the_ear(ear: STTManager) -> None:
    for _ in range(4):  # more often than there are decoders
        speech = Speech(buzz(0.6), endless=True)
        task = asyncio.create_task(hear(ear, speech))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert speech.is_closed
    assert (await hear(ear, Speech(buzz(0.3))))[-1].is_final


async def test_leaving_after_any_transcript_closes_the_utterance(ear: STTManager) -> None:
    speech = Speech(buzz(1.5))
    async with aclosing(ear.transcribe(speech.frames())) as transcripts:
        assert isinstance(await anext(transcripts), Transcript)
    assert speech.is_closed
    assert (await hear(ear, Speech(buzz(0.3))))[-1].is_final


async def test_several_people_are_heard_at_once(ear: STTManager) -> None:
    said = [Speech(buzz(0.3 + 0.2 * n)) for n in range(5)]
    heard = await asyncio.gather(*(hear(ear, speech) for speech in said))
    for transcripts in heard:
        assert [one.is_final for one in transcripts].count(True) == 1
        assert transcripts[-1].is_final
    assert all(speech.is_closed for speech in said)
