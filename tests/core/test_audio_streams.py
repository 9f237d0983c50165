from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxelle.audio import AudioFrame, Mark, Resampler, Samples, reframe, resample
from voxelle.streams import Stream


def noise(count: int, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)


async def frames(samples: Samples, rate: int, size: int) -> Stream[AudioFrame]:
    for at in range(0, len(samples), size):
        mark = Mark("word", str(at), at / rate)
        yield AudioFrame(samples[at : at + size], rate, at / rate, (mark,))


@pytest.mark.parametrize("size", [1, 7, 480, 481, 5000])
async def test_frames_of_any_length_become_full_frames(size: int) -> None:
    samples = noise(3000)
    found = [frame async for frame in reframe(frames(samples, 24_000, size))]
    assert [len(frame.samples) for frame in found] == [480] * 6 + [120]
    assert np.array_equal(np.concatenate([frame.samples for frame in found]), samples)
    assert [frame.start for frame in found] == pytest.approx([i * 0.02 for i in range(7)])
    marks = [mark.start for frame in found for mark in frame.marks]
    assert marks == [at / 24_000 for at in range(0, 3000, size)]


async def test_another_rate_is_changed_on_the_way() -> None:
    found = [frame async for frame in reframe(frames(noise(22_050), 22_050, 441))]
    assert {frame.rate for frame in found} == {24_000}
    assert sum(len(frame.samples) for frame in found) == 24_000


async def test_rate_may_change_within_the_stream() -> None:
    async def mixed() -> Stream[AudioFrame]:
        yield AudioFrame(noise(8_000), 16_000)
        yield AudioFrame(noise(12_000), 24_000, 0.5)

    found = [frame async for frame in reframe(mixed())]
    assert sum(frame.seconds for frame in found) == pytest.approx(1.0, abs=1e-4)


async def test_marks_without_sound_are_not_lost() -> None:
    async def silent() -> Stream[AudioFrame]:
        yield AudioFrame(noise(0), 24_000, 0.0, (Mark("word", "a", 0.0),))

    assert [len(frame.marks) async for frame in reframe(silent())] == [1]


async def test_empty_stream_stays_empty() -> None:
    assert [frame async for frame in reframe(frames(noise(0), 24_000, 10))] == []


async def test_closing_the_frames_closes_the_source() -> None:
    closed = []

    async def source() -> Stream[AudioFrame]:
        try:
            while True:
                yield AudioFrame(noise(480), 24_000)
        finally:
            closed.append(True)

    stream = reframe(source())
    await anext(stream)
    await stream.aclose()
    assert closed == [True]


@given(
    st.lists(st.integers(0, 3000), max_size=12), st.sampled_from([8_000, 22_050, 24_000, 48_000])
)
def test_resampling_does_not_depend_on_the_cuts(sizes: list[int], rate: int) -> None:
    samples = noise(sum(sizes))
    resampler = Resampler(rate, 24_000)
    cut = np.split(samples, np.cumsum(sizes)[:-1]) if sizes else []
    pieces = [resampler.push(piece) for piece in cut]
    found = np.concatenate([*pieces, resampler.finish()])
    assert np.array_equal(found, resample(samples, rate, 24_000))
    assert abs(len(found) - len(samples) * 24_000 / rate) <= 1


def test_resampling_keeps_a_tone_and_its_place() -> None:
    times = np.arange(22_050) / 22_050
    found = resample(np.sin(2 * np.pi * 440 * times).astype(np.float32), 22_050, 24_000)
    expected = np.sin(2 * np.pi * 440 * np.arange(len(found)) / 24_000)
    assert np.abs(found - expected)[500:-500].max() < 1e-3
