"""The ear behind an OpenAI-compatible server, through the official client."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from emulators.fake_openai.server import FakeOpenAI
from emulators.fake_openai.settings import Failure
from voxelle.audio import AudioFrame
from voxelle.operations.base import Transcript
from voxelle.operations.stt.openai import OpenAISTT, OpenAISTTOptions
from voxelle.operations.stt.rewriting import Rewriting, rewrite
from voxelle.streams import Stream
from voxelle.utils.exceptions import STTError

TRANSCRIPTIONS = "/audio/transcriptions"


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as server:
        yield server


def ear_of(fake: FakeOpenAI, **options: Any) -> OpenAISTT:
    wanted = {"base_url": fake.base_url, "model": "fake-stt", "partial_s": 0, **options}
    return OpenAISTT(OpenAISTTOptions.model_validate(wanted))


class Speaker:
    """Somebody who hums, as fast as told, and knows whether anybody still listens."""

    def __init__(self, seconds: float, *, loudness: float = 0.3, pace: float = 0.0) -> None:
        self.seconds, self.loudness, self.pace = seconds, loudness, pace
        self.is_closed = False

    async def hum(self) -> Stream[AudioFrame]:
        try:
            for index in range(round(self.seconds / 0.02)):
                at = np.arange(320, dtype=np.float32) / 16_000
                wave = (self.loudness * np.sin(2 * np.pi * 200 * at)).astype(np.float32)
                yield AudioFrame(wave, 16_000, index * 0.02)
                await asyncio.sleep(0.02 * self.pace)
        finally:
            self.is_closed = True


async def hear(fake: FakeOpenAI, speaker: Speaker, **options: Any) -> list[Transcript]:
    async with ear_of(fake, **options) as ear:
        return [transcript async for transcript in ear.transcribe(speaker.hum())]


def seconds_of(file: bytes) -> float:
    with wave.open(io.BytesIO(file)) as reader:
        form = reader.getparams()
    assert (form.framerate, form.nchannels, form.sampwidth) == (16_000, 1, 2)
    frames: int = form.nframes
    return frames / 16_000


@pytest.mark.real_time
async def test_whole_utterance_is_uploaded_and_its_words_come_back(fake: FakeOpenAI) -> None:
    speaker = Speaker(1.0)
    heard = await hear(
        fake, speaker, language="en", prompt="A stream.", words=["Iris", "Voxelle"], temperature=0.0
    )
    assert heard[-1] == Transcript("hello there", is_final=True)
    assert [transcript.is_final for transcript in heard].count(True) == 1
    form = fake.requests[0].form
    assert seconds_of(form["file"]) == 1.0
    assert form["language"] == b"en"
    assert form["prompt"] == b"A stream. Iris, Voxelle"
    assert form["response_format"] == b"json"
    assert speaker.is_closed


@pytest.mark.real_time
@pytest.mark.parametrize(
    "speaker",
    [Speaker(0.0), Speaker(0.08), Speaker(1.0, loudness=0.0), Speaker(1.0, loudness=5e-4)],
)
async def test_silence_is_empty_and_asks_nobody(fake: FakeOpenAI, speaker: Speaker) -> None:
    assert await hear(fake, speaker) == [Transcript("", is_final=True)]
    assert not fake.requests


@pytest.mark.real_time
@pytest.mark.parametrize("said", ["[BLANK_AUDIO]", "(music) ♪♪", " ... ", "", "Iris, Ann"])
async def test_what_nobody_said_is_left_out(fake: FakeOpenAI, said: str) -> None:
    fake.settings.transcript = said
    heard = await hear(fake, Speaker(0.5), words=["Iris", "Ann"])
    assert heard[-1] == Transcript("", is_final=True)


@pytest.mark.real_time
async def test_partials_come_while_the_person_speaks(fake: FakeOpenAI) -> None:
    fake.settings.transcript = lambda file, fields: f"{seconds_of(file):.1f} seconds"
    heard = await hear(fake, Speaker(1.0, pace=0.5), partial_s=0.3)
    partials = [transcript for transcript in heard if not transcript.is_final]
    assert len(partials) >= 3
    assert partials[0].text.startswith("0.3")
    assert heard[-1] == Transcript("1.0 seconds", is_final=True)


@pytest.mark.real_time
async def test_partials_are_off_for_paid_servers_unless_asked_for(fake: FakeOpenAI) -> None:
    await hear(fake, Speaker(2.5), partial_s=None, is_paid=True)
    assert len(fake.requests) == 1


@pytest.mark.real_time
async def test_partial_under_way_is_dropped_when_the_utterance_ends(fake: FakeOpenAI) -> None:
    fake.settings.transcription_s = 0.25
    heard = await hear(fake, Speaker(0.6, pace=0.5), partial_s=0.4)
    assert heard[-1].text == "hello there"
    assert [request.is_aborted for request in fake.requests] == [True, False]


@pytest.mark.real_time
async def test_failed_partial_does_not_spoil_the_final_transcript(fake: FakeOpenAI) -> None:
    fake.fail_next(Failure("status", 500))
    heard = await hear(fake, Speaker(0.6, pace=0.5), partial_s=0.2)
    assert heard[-1] == Transcript("hello there", is_final=True)
    assert len(fake.requests) == 2


@pytest.mark.real_time
async def test_streamed_transcript_grows_word_by_word(fake: FakeOpenAI) -> None:
    fake.settings.transcript = "how are you"
    heard = await hear(fake, Speaker(0.5), stream=True)
    assert [transcript.text for transcript in heard] == [
        "how",
        "how are",
        "how are you",
        "how are you",
    ]
    assert [transcript.is_final for transcript in heard] == [False] * 3 + [True]
    assert fake.requests[0].form["stream"] == b"true"


@pytest.mark.real_time
async def test_server_that_cannot_stream_is_understood_all_the_same(fake: FakeOpenAI) -> None:
    fake.settings.may_stream_transcripts = False
    heard = await hear(fake, Speaker(0.5), stream=True)
    assert heard[-1] == Transcript("hello there", is_final=True)


@pytest.mark.real_time
async def test_long_utterance_is_cut(fake: FakeOpenAI, caplog: pytest.LogCaptureFixture) -> None:
    speaker = Speaker(3.0)
    await hear(fake, speaker, max_utterance_s=1.5)
    assert seconds_of(fake.requests[0].form["file"]) == 1.5
    ours = [one.message for one in caplog.records if one.name.startswith("voxelle")]
    assert ours == ["an utterance is too long; the rest is left out"]
    assert speaker.is_closed


@pytest.mark.real_time
@pytest.mark.parametrize("stream", [False, True])
async def test_closing_aborts_the_request_and_closes_the_utterance(
    fake: FakeOpenAI, stream: bool
) -> None:
    fake.settings.transcription_s = 5.0
    speaker = Speaker(0.5)
    async with ear_of(fake, stream=stream) as ear:
        transcripts = ear.transcribe(speaker.hum())
        asking = asyncio.create_task(anext(transcripts))
        request = await fake.wait_for(TRANSCRIPTIONS)
        asking.cancel()
        await asyncio.wait([asking])
        await transcripts.aclose()
        async with asyncio.timeout(1.0):
            await request.ended.wait()
    assert request.is_aborted
    assert speaker.is_closed


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("failure", "says", "is_retryable"),
    [
        (Failure("status", 401), "refused the key", False),
        (Failure("status", 429), "too much to do", True),
        (Failure("status", 500), "failed (500)", True),
        (Failure("hang"), "did not answer in time", True),
        (Failure("html"), "no transcript: <!doctype html>", False),
        (Failure("error", message="bad sound"), "bad sound", False),
        (Failure("garbage"), "not JSON", False),
    ],
    ids=lambda value: f"{value.trouble}-{value.status}" if isinstance(value, Failure) else "",
)
async def test_failure_is_told_in_a_clear_sentence(
    fake: FakeOpenAI, failure: Failure, says: str, is_retryable: bool
) -> None:
    fake.fail_next(failure)
    with pytest.raises(STTError) as caught:
        await hear(fake, Speaker(0.5), timeout_s=0.3)
    assert says in str(caught.value)
    assert caught.value.is_retryable is is_retryable


@pytest.mark.real_time
async def test_stream_that_breaks_off_is_a_failure(fake: FakeOpenAI) -> None:
    fake.fail_next(Failure("cut"), Failure("end", after=0))
    with pytest.raises(STTError, match="broke the connection off"):
        await hear(fake, Speaker(0.5), stream=True)
    with pytest.raises(STTError, match="without a transcript"):
        await hear(fake, Speaker(0.5), stream=True)


@pytest.mark.real_time
async def test_wrong_rate_is_told(fake: FakeOpenAI) -> None:
    async def wrong() -> Stream[AudioFrame]:
        yield AudioFrame(np.zeros(480, np.float32), 24_000)

    async with ear_of(fake) as ear:
        with pytest.raises(STTError, match="takes 16000 Hz, and got 24000 Hz"):
            _ = [transcript async for transcript in ear.transcribe(wrong())]


async def test_every_option_is_described() -> None:
    assert all(field.description for field in OpenAISTTOptions.model_fields.values())


async def test_slow_ear_never_has_more_than_one_partial_at_work() -> None:
    at_work, most, lengths = 0, 0, []

    async def write(samples: Any, is_final: bool) -> Stream[str]:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        lengths.append((round(len(samples) / 16_000, 1), is_final))
        try:
            await asyncio.sleep(1.0)
            yield f"{len(samples)}"
        finally:
            at_work -= 1

    speaker = Speaker(5.0, pace=1.0)
    heard = [t async for t in rewrite(speaker.hum(), write, Rewriting(0.2, 60.0))]
    assert most == 1
    assert lengths[-1] == (5.0, True)
    assert [length for length, is_final in lengths if not is_final] == [0.2, 1.2, 2.2, 3.2, 4.2]
    assert heard[-1].text == "80000"


async def test_samples_that_are_no_numbers_become_silence() -> None:
    got: list[Any] = []

    async def write(samples: Any, is_final: bool) -> Stream[str]:
        got.append(samples)
        yield "yes"

    async def broken() -> Stream[AudioFrame]:
        yield AudioFrame(np.full(3_200, np.nan, np.float32), 16_000)
        yield AudioFrame(np.full(3_200, 0.5, np.float32), 16_000)

    _ = [t async for t in rewrite(broken(), write, Rewriting(0.0, 60.0))]
    assert np.array_equal(got[0], np.repeat(np.array([0, 0.5], np.float32), 3_200))


async def test_failing_microphone_reaches_the_reader_after_the_partials() -> None:
    async def write(samples: Any, is_final: bool) -> Stream[str]:
        yield "so far"

    async def breaking() -> Stream[AudioFrame]:
        for _ in range(50):
            yield AudioFrame(np.full(320, 0.5, np.float32), 16_000)
            await asyncio.sleep(0.02)
        raise OSError("unplugged")

    transcripts = rewrite(breaking(), write, Rewriting(0.3, 60.0))
    assert (await anext(transcripts)).text == "so far"
    with pytest.raises(OSError, match="unplugged"):
        await anext(transcripts)
