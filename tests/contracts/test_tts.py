"""What every voice must do, asked of every voice that can run here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest

from contracts.providers import VOICES, chosen
from voxelle.audio import AudioFrame
from voxelle.operations.tts.manager import TTSManager

pytestmark = pytest.mark.real_time

LINE = "One two three, this is Voxelle!"


@pytest.fixture(params=sorted(TTSManager.registry.places()))
async def voice(request: pytest.FixtureRequest) -> AsyncIterator[TTSManager]:
    async with chosen(VOICES, request.param) as choice:
        manager = TTSManager()
        await manager.use([choice])
        yield manager
        await manager.close()


async def spoken(voice: TTSManager, line: str) -> list[AudioFrame]:
    async with aclosing(voice.speak(line)) as stream:
        return [frame async for frame in stream]


def seconds(frames: list[AudioFrame]) -> float:
    return sum(frame.seconds for frame in frames)


async def test_frames_follow_each_other_at_one_rate(voice: TTSManager) -> None:
    frames = await spoken(voice, LINE)
    assert len({frame.rate for frame in frames}) == 1
    end = 0.0
    for frame in frames:
        assert frame.start == pytest.approx(end, abs=1e-6)
        end += frame.seconds
    assert 0.5 < end < 10.0


async def test_samples_are_mono_float32_within_one_and_not_silent(voice: TTSManager) -> None:
    frames = await spoken(voice, LINE)
    for frame in frames:
        assert frame.samples.ndim == 1
        assert frame.samples.dtype == np.float32
        assert np.isfinite(frame.samples).all()
        assert np.abs(frame.samples).max(initial=0.0) <= 1.0
    assert np.sqrt(np.mean(np.concatenate([one.samples for one in frames]) ** 2)) > 0.01


async def test_frames_are_short_enough_to_be_interrupted(voice: TTSManager) -> None:
    assert max(frame.seconds for frame in await spoken(voice, LINE)) <= 0.1


@pytest.mark.parametrize("line", [LINE, "Größe 😀 “quoted” words, $5.50 — for 2nd place."])
async def test_word_marks_name_the_words_of_the_line_in_order(voice: TTSManager, line: str) -> None:
    frames = await spoken(voice, line)
    end = seconds(frames)
    marks = [mark for frame in frames for mark in frame.marks]
    words = [mark for mark in marks if mark.kind == "word"]
    for mark in words:
        assert mark.text
        assert line[mark.at : mark.at + len(mark.text)] == mark.text
    assert [mark.at for mark in words] == sorted({mark.at for mark in words})
    for kind in ("word", "phoneme"):
        starts = [mark.start for mark in marks if mark.kind == kind]
        assert starts == sorted(starts)
        assert all(0.0 <= start <= end + 1e-6 for start in starts)


async def test_marks_come_no_later_than_their_sound(voice: TTSManager) -> None:
    for frame in await spoken(voice, LINE):
        assert all(mark.start >= frame.start - 0.02 for mark in frame.marks)


@pytest.mark.parametrize("line", ["", "   ", "\n\t"])
async def test_nothing_to_say_is_no_sound(voice: TTSManager, line: str) -> None:
    assert seconds(await spoken(voice, line)) < 0.05


@pytest.mark.parametrize(
    "line",
    [
        "😀😀😀",
        "?!...",
        "a\0b\x01c\x1b[0m",
        "\ud800 half a character",
        "<speak><break time='100s'/>&amp;</speak>",
        "[[h@'l@U]]",
        "x" * 400,
        "日本語とдобрый день",
    ],
)
async def test_odd_lines_do_no_harm(voice: TTSManager, line: str) -> None:
    frames = await spoken(voice, line)
    assert seconds(frames) < 120.0
    assert seconds(await spoken(voice, "Still here.")) > 0.2


async def test_five_thousand_characters_can_be_spoken(voice: TTSManager) -> None:
    count = 0
    async with aclosing(voice.speak("many words. " * 416)) as stream:
        async for _ in stream:
            count += 1
    assert count > 1000


@pytest.mark.parametrize("read", [0, 1, 3])
async def test_can_be_closed_after_any_frame_and_speak_again(voice: TTSManager, read: int) -> None:
    stream = voice.speak("many words. " * 100)
    for _ in range(read):
        await anext(stream)
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert seconds(await spoken(voice, LINE)) > 0.5


async def test_cancelled_reader_lets_go_of_the_voice(voice: TTSManager) -> None:
    async def listen() -> None:
        async with aclosing(voice.speak("many words. " * 100)) as stream:
            async for _ in stream:
                await asyncio.sleep(3600)

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert seconds(await spoken(voice, LINE)) > 0.5


async def test_lines_spoken_at_once_do_not_mix(voice: TTSManager) -> None:
    lines = ["One.", "One two three.", "One two three four five six seven."]
    alone = [seconds(await spoken(voice, line)) for line in lines]
    together = await asyncio.gather(*(spoken(voice, line) for line in lines))
    for line, duration, frames in zip(lines, alone, together, strict=True):
        # espeak's lengths differ by a thousandth from one time to the next.
        assert seconds(frames) == pytest.approx(duration, rel=0.02)
        words = [mark.text for frame in frames for mark in frame.marks if mark.kind == "word"]
        assert words in ([], line.split())
