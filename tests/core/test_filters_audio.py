"""What each filter of sound does to it."""

from __future__ import annotations

import math
from contextlib import aclosing

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxelle.audio import AudioFrame, Samples
from voxelle.operations.base import Provider
from voxelle.operations.filter_audio.biquad import (
    Biquad,
    Coefficients,
    Doubles,
    highpass,
    k_weighting,
)
from voxelle.operations.filter_audio.effect import EffectProvider
from voxelle.operations.filter_audio.limiter import Limiter, LimiterOptions
from voxelle.operations.filter_audio.loudness import Loudness, LoudnessOptions, lufs
from voxelle.operations.filter_audio.manager import REGISTRY, AudioFilterManager
from voxelle.operations.filter_audio.pitch import Pitch, PitchOptions, PitchShifter
from voxelle.operations.registry import Choice, Registry
from voxelle.streams import Stream
from voxelle.utils.exceptions import ConfigurationError, TTSError

RATE = 24_000


def tone(hz: float, seconds: float = 1.0, amplitude: float = 0.5, rate: int = RATE) -> Samples:
    times = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * hz * times)).astype(np.float32)


async def frames(samples: Samples, rate: int) -> Stream[AudioFrame]:
    for at in range(0, len(samples), rate // 50):
        yield AudioFrame(samples[at : at + rate // 50], rate, at / rate)


async def run(effect: EffectProvider, samples: Samples, rate: int = RATE) -> Samples:
    return np.concatenate([frame.samples async for frame in effect.apply(frames(samples, rate))])


def loudest_hz(samples: Samples, rate: int = RATE) -> float:
    """The frequency of a tone, by a parabola through the highest bin and its neighbours."""
    padded = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
    top = int(padded.argmax())
    left, middle, right = np.log(padded[top - 1 : top + 2])
    return float(top + 0.5 * (left - right) / (left - 2 * middle + right)) * rate / (1 << 18)


def naive(c: Coefficients, samples: Doubles) -> Doubles:
    x1 = x2 = y1 = y2 = 0.0
    result = []
    for x in samples.tolist():
        y = c.b0 * x + c.b1 * x1 + c.b2 * x2 - c.a1 * y1 - c.a2 * y2
        x1, x2, y1, y2 = x, x1, y, y1
        result.append(y)
    return np.array(result)


@pytest.mark.parametrize("coefficients", [highpass(80, RATE), *k_weighting(48_000)])
@pytest.mark.parametrize("size", [1, 31, 32, 33, 480])
def test_block_filter_equals_the_recursion(coefficients: Coefficients, size: int) -> None:
    samples = np.random.default_rng(0).normal(size=2_000)
    biquad = Biquad(coefficients)
    found = [biquad.process(samples[at : at + size]) for at in range(0, 2_000, size)]
    assert np.allclose(np.concatenate(found), naive(coefficients, samples), atol=1e-10)


def test_k_weighting_has_the_numbers_of_the_standard_at_48_khz() -> None:
    shelf, high = k_weighting(48_000)
    assert shelf.b0 == pytest.approx(1.53512485958697, abs=1e-7)
    assert shelf.a1 == pytest.approx(-1.69065929318241, abs=1e-7)
    assert shelf.a2 == pytest.approx(0.73248077421585, abs=1e-7)
    assert high.a1 == pytest.approx(-1.99004745483398, abs=1e-7)
    assert high.a2 == pytest.approx(0.99007225036621, abs=1e-7)


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
def test_full_scale_sine_is_3_lufs_below_zero(rate: int) -> None:
    weighted = tone(997, 2, 1.0, rate).astype(np.float64)
    for coefficients in k_weighting(rate):
        weighted = Biquad(coefficients).process(weighted)
    assert lufs(float((weighted[rate:] ** 2).mean())) == pytest.approx(-3.01, abs=0.1)


def level_db(samples: Samples) -> float:
    return 20 * math.log10(float(np.sqrt((samples[RATE // 2 :] ** 2).mean())) * math.sqrt(2))


def test_highpass_takes_3_db_at_its_cutoff_and_12_db_per_octave() -> None:
    def response(hz: float) -> float:
        filtered = Biquad(highpass(200, RATE)).process(tone(hz, 2, 1.0).astype(np.float64))
        return level_db(filtered.astype(np.float32))

    assert response(200) == pytest.approx(-3.01, abs=0.1)
    assert response(50) == pytest.approx(-24.1, abs=0.5)
    assert response(2_000) == pytest.approx(0, abs=0.05)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10_000),
    ceiling_db=st.floats(-30, 0),
    release_s=st.floats(0.01, 1),
    loud=st.floats(0.01, 8),
    size=st.integers(1, 3_000),
)
def test_no_sample_exceeds_the_ceiling(
    seed: int, ceiling_db: float, release_s: float, loud: float, size: int
) -> None:
    chance = np.random.default_rng(seed)
    samples = (chance.normal(0, loud / 4, 6_000) * (chance.random(6_000) < 0.2)).astype(np.float32)
    samples[chance.integers(0, 6_000, 3)] = loud
    limiter = Limiter(LimiterOptions(ceiling_db=ceiling_db, release_s=release_s)).begin(RATE)
    pieces = [limiter.push(samples[at : at + size]) for at in range(0, 6_000, size)]
    found = np.concatenate([*pieces, limiter.finish()])
    assert len(found) == len(samples)
    assert np.abs(found).max() <= np.float32(10 ** (ceiling_db / 20))
    assert (np.abs(found) <= np.abs(samples) + 1e-6).all()


async def test_limiter_leaves_quiet_sound_as_it_is() -> None:
    samples = tone(300, amplitude=0.8)
    assert np.array_equal(await run(Limiter(LimiterOptions()), samples), samples)


async def test_limiter_distorts_a_loud_tone_by_less_than_one_percent() -> None:
    found = (await run(Limiter(LimiterOptions(ceiling_db=-6)), tone(1_000, 2, 1.0)))[RATE:]
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found)))) ** 2
    top = int(spectrum.argmax())
    harmonics = spectrum.sum() - spectrum[top - 4 : top + 5].sum()
    assert math.sqrt(harmonics / spectrum.sum()) < 0.01
    assert np.abs(found).max() > 0.48  # no quieter than it must be


@pytest.mark.parametrize("semitones", [-12, -5, -2, 2, 3, 7, 12])
@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
async def test_pitch_moves_exactly(semitones: float, rate: int) -> None:
    found = await run(Pitch(PitchOptions(semitones=semitones)), tone(220, 2, rate=rate), rate)
    middle = found[rate // 4 : -rate // 4]
    assert loudest_hz(middle, rate) == pytest.approx(220 * 2 ** (semitones / 12), rel=0.01)
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.354, rel=0.1)


@pytest.mark.parametrize("semitones", [-4, 3, 6])
def test_pitch_is_at_most_41_ms_behind(semitones: float) -> None:
    shifter = PitchShifter(RATE, 2 ** (semitones / 12))
    behind, taken, given = [], 0, 0
    for _ in range(200):
        given += len(shifter.push(tone(200, 0.005)))
        taken += 120
        behind.append((taken - given) / RATE)
    assert max(behind[20:]) <= 0.041


async def test_pitch_of_zero_semitones_changes_nothing() -> None:
    samples = tone(200)
    assert np.array_equal(await run(Pitch(PitchOptions()), samples), samples)


@pytest.mark.parametrize("amplitude", [0.05, 0.9])
async def test_loudness_reaches_its_target_and_remembers_the_voice(amplitude: float) -> None:
    loudness = Loudness(LoudnessOptions(target_lufs=-18, max_gain_db=20))
    samples = tone(500, 6, amplitude)
    await run(loudness, samples)
    next_line = await run(loudness, samples)
    weighted = next_line[: RATE // 2].astype(np.float64)
    for coefficients in k_weighting(RATE):
        weighted = Biquad(coefficients).process(weighted)
    assert lufs(float((weighted[2_400:] ** 2).mean())) == pytest.approx(-18, abs=0.6)


async def test_loudness_is_not_fooled_by_pauses_or_silence() -> None:
    loudness = Loudness(LoudnessOptions())
    speech = tone(500, 2, 0.1)
    await run(loudness, speech)
    before = loudness.level.lufs
    await run(loudness, np.zeros(RATE * 10, np.float32))
    await run(loudness, tone(500, 3, 0.001))
    assert before is not None
    assert loudness.level.lufs == pytest.approx(before, abs=0.3)


async def test_loudness_never_gains_more_than_allowed() -> None:
    loudness = Loudness(LoudnessOptions(target_lufs=-18, max_gain_db=6))
    await run(loudness, tone(500, 5, 0.01))
    found = await run(loudness, tone(500, 1, 0.01))
    assert np.abs(found).max() == pytest.approx(0.01 * 10 ** (6 / 20), rel=0.01)


async def test_loudness_moves_without_a_step() -> None:
    samples = np.full(RATE * 3, 0.25, np.float32)
    samples[1::2] *= -1  # a tone at half the rate: each sample shows the volume
    found = np.abs(await run(Loudness(LoudnessOptions()), samples))
    assert np.abs(np.diff(found)).max() < 1e-3


class Failing(Provider):
    """Holds 30 ms back, makes everything half as loud, and breaks after 0.1 s."""

    async def apply(self, audio: Stream[AudioFrame]) -> Stream[AudioFrame]:
        held: Samples = np.zeros(0, np.float32)
        given = 0
        async with aclosing(audio):
            async for frame in audio:
                held = np.concatenate([held, frame.samples])
                if frame.start >= 0.1:
                    raise ZeroDivisionError("broken")
                count = max(0, len(held) - 720)
                if count:
                    yield AudioFrame(
                        held[:count] * np.float32(0.5), RATE, given / RATE, frame.marks
                    )
                held, given = held[count:], given + count


class FailingAtOnce(Provider):
    async def apply(self, audio: Stream[AudioFrame]) -> Stream[AudioFrame]:
        raise ZeroDivisionError("broken")
        yield


class FailingRegistry(Registry):
    def find(self, name: str) -> type[Provider]:
        return {"failing": Failing, "at_once": FailingAtOnce}.get(name) or super().find(name)


class FailingManager(AudioFilterManager):
    registry = FailingRegistry("filter_audio", REGISTRY.builtin, {})


@pytest.mark.parametrize("name", ["failing", "at_once"])
async def test_line_goes_on_without_a_filter_that_fails(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    manager = FailingManager()
    await manager.use([Choice(id="gain"), Choice(id=name), Choice(id="gain")])
    samples = tone(300, 0.3)
    found = [frame async for frame in manager.apply(frames(samples, RATE))]
    sound = np.concatenate([frame.samples for frame in found])
    assert len(sound) == len(samples)
    changed = round(0.07 * RATE) if name == "failing" else 0
    assert np.allclose(sound[:changed], samples[:changed] / 2)
    assert np.allclose(sound[changed:], samples[changed:])
    assert "goes on without it" in caplog.text
    await manager.close()


async def test_failing_voice_is_not_blamed_on_the_filters() -> None:
    async def broken() -> Stream[AudioFrame]:
        yield AudioFrame(tone(300, 0.1), RATE)
        raise TTSError("the voice broke", provider="voice", is_retryable=False)

    manager = AudioFilterManager()
    await manager.use([Choice(id="limiter"), Choice(id="gain")])
    with pytest.raises(TTSError, match="the voice broke"):
        async for _ in manager.apply(broken()):
            pass
    await manager.close()


async def test_chain_that_cannot_be_opened_leaves_the_old_one() -> None:
    manager = AudioFilterManager()
    await manager.use([Choice(id="gain")])
    with pytest.raises(ConfigurationError, match="ceiling_db"):
        await manager.use(
            [Choice(id="pitch"), Choice.model_validate({"id": "limiter", "ceiling_db": 3})]
        )
    assert manager.name == "gain"
    await manager.close()


async def test_closing_the_chain_closes_the_voice() -> None:
    closed = []

    async def voice() -> Stream[AudioFrame]:
        try:
            while True:
                yield AudioFrame(tone(300, 0.5), RATE)
        finally:
            closed.append(True)

    manager = AudioFilterManager()
    await manager.use([Choice(id="highpass"), Choice(id="limiter")])
    line = manager.apply(voice())
    await anext(line)
    await line.aclose()
    assert closed == [True]
    await manager.close()
