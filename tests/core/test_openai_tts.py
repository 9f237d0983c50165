"""The voice behind an OpenAI-compatible server, through the official client."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from emulators.fake_openai.server import FakeOpenAI
from emulators.fake_openai.settings import Failure
from voxelle.audio import AudioFrame
from voxelle.operations.tts.openai import OpenAITTS, OpenAITTSOptions
from voxelle.operations.tts.sound_reader import SoundError, SoundReader
from voxelle.utils.exceptions import TTSError

SPEECH = "/audio/speech"


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as server:
        yield server


def voice_of(fake: FakeOpenAI, **options: Any) -> OpenAITTS:
    wanted = {"base_url": fake.base_url, "model": "fake-tts", **options}
    return OpenAITTS(OpenAITTSOptions.model_validate(wanted))


async def speak(fake: FakeOpenAI, line: str = "One two three.", **options: Any) -> list[AudioFrame]:
    async with voice_of(fake, **options) as voice:
        return [frame async for frame in voice.speak(line)]


def joined(frames: list[AudioFrame]) -> Any:
    return np.concatenate([frame.samples for frame in frames])


@pytest.mark.real_time
@pytest.mark.parametrize("chunk", [1, 3, 961, 4_800, 1_000_000])
async def test_frames_are_the_same_wherever_the_server_cuts(fake: FakeOpenAI, chunk: int) -> None:
    fake.settings.speech_word_s = 0.05 if chunk == 1 else 0.253
    whole = joined(await speak(fake))
    fake.settings.speech_chunk_bytes = chunk
    frames = await speak(fake)
    assert np.array_equal(joined(frames), whole)
    assert len(whole) == 3 * round(fake.settings.speech_word_s * 24_000)
    assert {len(frame.samples) for frame in frames[:-1]} == {480}
    assert [frame.start for frame in frames] == pytest.approx(
        [i * 0.02 for i in range(len(frames))]
    )
    assert {(frame.rate, frame.samples.dtype.name) for frame in frames} == {(24_000, "float32")}
    assert 0.2 < np.abs(whole).max() < 0.3


@pytest.mark.real_time
@pytest.mark.parametrize("size", ["true", "zero", "unknown"])
@pytest.mark.parametrize(("rate", "channels"), [(22_050, 1), (48_000, 2)])
async def test_wav_is_believed_about_its_rate_and_channels(
    fake: FakeOpenAI, size: Any, rate: int, channels: int
) -> None:
    fake.settings.wav_size = size
    fake.settings.speech_rate, fake.settings.speech_channels = rate, channels
    fake.settings.speech_chunk_bytes = 777
    frames = await speak(fake, response_format="wav")
    assert {frame.rate for frame in frames} == {rate}
    assert sum(frame.seconds for frame in frames) == pytest.approx(0.75, abs=0.001)
    assert 0.2 < np.abs(joined(frames)).max() < 0.3


@pytest.mark.real_time
async def test_first_frame_comes_while_the_rest_is_still_made(fake: FakeOpenAI) -> None:
    fake.settings.speech_first_byte_s = 0.1
    fake.settings.speech_factor = 0.5
    loop = asyncio.get_running_loop()
    async with voice_of(fake) as voice:
        begun = loop.time()
        times = [loop.time() - begun async for _ in voice.speak("one two three four")]
    assert times[0] < 0.3
    assert times[-1] >= 0.5


@pytest.mark.real_time
@pytest.mark.parametrize("read", [0, 1, 5])
async def test_closing_at_any_moment_aborts_the_request(fake: FakeOpenAI, read: int) -> None:
    fake.settings.speech_first_byte_s = 0.2
    fake.settings.speech_factor = 1.0
    async with voice_of(fake) as voice:
        stream = voice.speak("word " * 100)
        if read == 0:
            asking = asyncio.create_task(anext(stream))
            await fake.wait_for(SPEECH)
            asking.cancel()
            await asyncio.wait([asking])
        for _ in range(read):
            await anext(stream)
        await stream.aclose()
        async with asyncio.timeout(1.0):
            await fake.requests[0].ended.wait()
    assert fake.requests[0].is_aborted
    assert fake.requests[0].pieces_sent < 10


@pytest.mark.real_time
async def test_only_what_was_set_is_sent(fake: FakeOpenAI) -> None:
    await speak(fake, "Hi.")
    await speak(fake, "Hi.", voice="af_heart", speed=1.5, instructions="Whisper.")
    plain, full = (request.json for request in fake.requests)
    assert plain == {
        "input": "Hi.",
        "model": "fake-tts",
        "voice": "coral",
        "response_format": "pcm",
    }
    assert (full["voice"], full["speed"], full["instructions"]) == ("af_heart", 1.5, "Whisper.")


@pytest.mark.real_time
async def test_line_without_words_asks_nobody(fake: FakeOpenAI) -> None:
    assert await speak(fake, " ...! ") == []
    assert not fake.requests


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("failure", "says", "is_retryable"),
    [
        (Failure("status", 401), "refused the key", False),
        (Failure("status", 429), "too much to do", True),
        (Failure("status", 500), "failed (500)", True),
        (Failure("hang"), "did not answer in time", True),
        (Failure("stall"), "did not answer in time", True),
        (Failure("cut"), "broke the connection off", True),
        (Failure("end", after=0), "sent no sound", True),
        (Failure("html"), "text/html instead of sound", False),
        (Failure("error", message="no such voice"), "It said: no such voice", False),
        (Failure("garbage"), "MP3 sound instead of pcm", False),
    ],
    ids=lambda value: f"{value.trouble}-{value.status}" if isinstance(value, Failure) else "",
)
async def test_failure_is_told_in_a_clear_sentence(
    fake: FakeOpenAI, failure: Failure, says: str, is_retryable: bool
) -> None:
    fake.fail_next(failure)
    with pytest.raises(TTSError) as caught:
        await speak(fake, timeout_s=0.3)
    assert says in str(caught.value)
    assert caught.value.is_retryable is is_retryable
    assert fake.base_url in str(caught.value)


@pytest.mark.real_time
async def test_server_that_does_no_pcm_says_so(fake: FakeOpenAI) -> None:
    fake.settings.speech_formats = ("wav",)
    with pytest.raises(TTSError, match="response_format 'pcm' is not supported"):
        await speak(fake)
    assert await speak(fake, response_format="wav")


@pytest.mark.real_time
async def test_unknown_model_is_answered_with_the_known_ones(fake: FakeOpenAI) -> None:
    with pytest.raises(TTSError, match="no model called 'kokoro'; it has: fake-stt"):
        await speak(fake, model="kokoro")


def wav(kind: int, bits: int, data: bytes, channels: int = 1, extra: bytes = b"") -> bytes:
    form = struct.pack("<HHIIHH", kind, channels, 16_000, 0, 0, bits)
    chunks = extra + b"fmt " + struct.pack("<I", 16) + form + b"data"
    return b"RIFF\0\0\0\0WAVE" + chunks + struct.pack("<I", len(data)) + data


@pytest.mark.parametrize(
    ("kind", "bits", "data"),
    [
        (1, 8, bytes([192, 64])),
        (1, 16, struct.pack("<2h", 16384, -16384)),
        (1, 24, b"\0\0\x40\0\0\xc0"),
        (1, 32, struct.pack("<2i", 2**30, -(2**30))),
        (3, 32, struct.pack("<2f", 0.5, -0.5)),
    ],
)
async def test_every_usual_wav_is_read(kind: int, bits: int, data: bytes) -> None:
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    whole = wav(kind, bits, data, extra=extra) + b"LIST\x04\0\0\0tags"
    for step in (1, 2, 5, len(whole)):
        reader = SoundReader(24_000)
        read = [reader.push(whole[i : i + step]) for i in range(0, len(whole), step)]
        assert np.concatenate([*read, reader.finish()]).tolist() == [0.5, -0.5]
        assert reader.rate == 16_000


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"error": {"message": "no"}}', "a message in JSON"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"OggS" + bytes(40), "Ogg"),
        (wav(7, 8, b"12"), "kind 7"),
        (wav(1, 16, b"1212", channels=0), "0 channels"),
        (wav(1, 16, b"", extra=b"JUNK\xff\xff\xff\x0f"), "header has no end"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "without a format"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", "ends before its samples"),
    ],
)
async def test_bytes_that_are_no_readable_sound_are_named(data: bytes, says: str) -> None:
    reader = SoundReader(24_000)
    with pytest.raises(SoundError, match=says):
        _ = reader.push(data), reader.finish()


async def test_sound_shorter_than_any_header_is_still_heard() -> None:
    reader = SoundReader(24_000)
    assert len(reader.push(struct.pack("<2h", 16384, -16384) + b"x")) == 0
    assert reader.finish().tolist() == [0.5, -0.5]


async def test_every_option_is_described() -> None:
    assert all(field.description for field in OpenAITTSOptions.model_fields.values())
