"""What every filter of sound must do, whichever it is."""

from __future__ import annotations

from typing import Protocol, Self, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxelle.audio import AudioFrame, Mark, Samples
from voxelle.operations.base import AudioFilter
from voxelle.operations.filter_audio.manager import REGISTRY, AudioFilterManager
from voxelle.operations.registry import Choice
from voxelle.streams import Stream
from voxelle.utils.exceptions import AudioFilterError

RATE = 24_000
OPTIONS: dict[str, dict[str, object]] = {
    "resample": {"rate": 16_000},
    "highpass": {"cutoff_hz": 120},
    "gain": {"gain_db": 9},
    "loudness": {"target_lufs": -16},
    "limiter": {"ceiling_db": -12},
    "pitch": {"semitones": 3},
}
"""Options with which each filter has something to do; a plugin's filter gets its defaults."""

NAMES = sorted(REGISTRY.places())


def voice(seconds: float = 1.0, rate: int = RATE, seed: int = 1) -> Samples:
    """Something like speech: a gliding buzz in syllables, with breath."""
    chance = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    phase = np.cumsum(150 + 40 * np.sin(2 * np.pi * times)) / rate
    buzz = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 12))
    loud = 0.15 + 0.35 * np.clip(np.sin(2 * np.pi * 3 * times), 0, 1)
    return (loud * buzz * 0.6 + chance.normal(0, 0.005, len(times))).astype(np.float32)


class Opened(AudioFilter, Protocol):
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *exc_info: object) -> None: ...


def choice(name: str) -> Choice:
    return Choice.model_validate({"id": name, **OPTIONS.get(name, {})})


def create(name: str) -> Opened:
    return cast(Opened, REGISTRY.create(choice(name)))


async def stream(pieces: list[Samples], rate: int = RATE, start: float = 0.0) -> Stream[AudioFrame]:
    for piece in pieces:
        yield AudioFrame(piece, rate, start)
        start += len(piece) / rate


async def changed(name: str, pieces: list[Samples], rate: int = RATE) -> list[AudioFrame]:
    async with create(name) as effect:
        return [frame async for frame in effect.apply(stream(pieces, rate))]


def joined(frames: list[AudioFrame]) -> Samples:
    return np.concatenate([frame.samples for frame in frames] or [np.zeros(0, np.float32)])


def chop(samples: Samples, size: int) -> list[Samples]:
    return [samples[at : at + size] for at in range(0, len(samples), size)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 100, 480, 24_000, 31_001])
async def test_line_keeps_its_length(name: str, count: int) -> None:
    found = await changed(name, chop(voice(2)[:count], 480))
    assert found
    seconds = sum(frame.seconds for frame in found)
    assert abs(seconds - count / RATE) <= 1 / found[0].rate


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
async def test_usual_rates_are_taken(name: str, rate: int) -> None:
    found = await changed(name, chop(voice(0.5, rate), rate // 50), rate)
    assert sum(frame.seconds for frame in found) == pytest.approx(0.5, abs=2 / found[0].rate)
    assert np.abs(joined(found)).max() > 0.05


@pytest.mark.parametrize("name", NAMES)
async def test_each_frame_starts_where_the_last_one_ended(name: str) -> None:
    async with create(name) as effect:
        source = stream(chop(voice(), 333), start=5.0)
        found = [frame async for frame in effect.apply(source)]
    position = 5.0
    for frame in found:
        assert frame.start == pytest.approx(position, abs=1e-9)
        assert frame.samples.dtype == np.float32
        assert frame.samples.ndim == 1
        position += frame.seconds


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(cuts=st.lists(st.integers(1, 11_999), max_size=20))
async def test_samples_do_not_depend_on_how_the_input_is_cut(name: str, cuts: list[int]) -> None:
    samples = voice(0.5)
    whole = joined(await changed(name, [samples]))
    found = joined(await changed(name, np.split(samples, sorted(cuts))))
    assert len(found) == len(whole)
    assert np.abs(found - whole).max() < 2e-6


@pytest.mark.parametrize("name", NAMES)
async def test_sound_stays_in_its_place(name: str) -> None:
    """A burst at 0.5 s comes out at 0.5 s, within 5 ms (10 ms for what is cut and overlapped)."""
    samples = np.zeros(RATE, np.float32)
    burst = np.sin(2 * np.pi * 800 * np.arange(960) / RATE) * np.hanning(960)
    samples[12_000:12_960] = 0.5 * burst
    found = await changed(name, chop(samples, 480))
    energy = joined(found).astype(np.float64) ** 2
    centre = (energy * np.arange(len(energy))).sum() / energy.sum() / found[0].rate
    assert centre == pytest.approx(0.52, abs=0.01 if name == "pitch" else 0.005)


@pytest.mark.parametrize("name", NAMES)
async def test_no_mark_is_lost(name: str) -> None:
    async def marked() -> Stream[AudioFrame]:
        for number, piece in enumerate(chop(voice(0.3), 480)):
            start = number * 0.02
            yield AudioFrame(piece, RATE, start, (Mark("word", str(number), start),))
        yield AudioFrame(np.zeros(0, np.float32), RATE, 0.3, (Mark("word", "last", 0.3),))

    async with create(name) as effect:
        found = [mark.text async for frame in effect.apply(marked()) for mark in frame.marks]
    assert found == [*map(str, range(15)), "last"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 1e30])
async def test_nothing_but_numbers_comes_out(name: str, poison: float) -> None:
    samples = voice()
    samples[[0, 5_000, 12_345]] = poison
    found = joined(await changed(name, chop(samples, 480)))
    assert np.isfinite(found).all()
    assert np.abs(found[-4_000:]).max() > 0.01  # it recovers


@pytest.mark.parametrize("name", NAMES)
async def test_silence_stays_silent(name: str) -> None:
    found = joined(await changed(name, [np.zeros(9_600, np.float32)] * 3))
    assert np.abs(found).max() < 1e-6


@pytest.mark.parametrize("name", NAMES)
async def test_empty_line_gives_nothing(name: str) -> None:
    assert await changed(name, []) == []
    assert await changed(name, [np.zeros(0, np.float32)]) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rates", [(24_000, 16_000), (10,), (1_000_000,)])
async def test_impossible_or_changing_rates_are_refused(name: str, rates: tuple[int, ...]) -> None:
    async def odd() -> Stream[AudioFrame]:
        for rate in rates:
            yield AudioFrame(voice(0.1), rate)

    async with create(name) as effect:
        with pytest.raises(AudioFilterError, match="Hz"):
            async for _ in effect.apply(odd()):
                pass


@pytest.mark.parametrize("name", NAMES)
async def test_closing_closes_the_source(name: str) -> None:
    closed = []

    async def endless() -> Stream[AudioFrame]:
        try:
            while True:
                yield AudioFrame(voice(0.5), RATE)
        finally:
            closed.append(True)

    async with create(name) as effect:
        found = effect.apply(endless())
        await anext(found)
        await found.aclose()
    assert closed == [True]


@pytest.mark.parametrize("name", NAMES)
async def test_what_the_source_raises_comes_through(name: str) -> None:
    async def broken() -> Stream[AudioFrame]:
        yield AudioFrame(voice(0.5), RATE)
        raise LookupError("the voice is gone")

    async with create(name) as effect:
        with pytest.raises(LookupError, match="the voice is gone"):
            async for _ in effect.apply(broken()):
                pass


@pytest.mark.parametrize("name", NAMES)
async def test_two_lines_at_once_do_not_disturb_each_other(name: str) -> None:
    samples = voice(0.3)  # shorter than a block of loudness: nothing is learned from it
    alone = joined(await changed(name, chop(samples, 480)))
    async with create(name) as effect:
        one = effect.apply(stream(chop(samples, 480)))
        other = effect.apply(stream(chop(-0.5 * samples[::-1], 480)))
        found = []
        async for frame in one:
            found.append(frame)
            await anext(other, None)
        await other.aclose()
    assert np.array_equal(joined(found), alone)


async def test_manager_runs_every_registered_filter_as_one_chain() -> None:
    manager = AudioFilterManager()
    choices = [choice(name) for name in NAMES if name != "resample"]
    await manager.use(choices)
    found = [frame async for frame in manager.apply(stream(chop(voice(), 480)))]
    assert sum(frame.seconds for frame in found) == pytest.approx(1.0, abs=2 / RATE)
    await manager.close()
