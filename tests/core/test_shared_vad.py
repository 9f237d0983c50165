"""One detector for everybody, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from voxelle.audio import Samples
from voxelle.operations.registry import Choice
from voxelle.operations.vad.manager import VADManager
from voxelle.operations.vad.shared import SharedVad
from voxelle.utils.exceptions import OperationError


class Level:
    """A detector whose probability is the first sample of a window; it remembers its batches."""

    def __init__(self) -> None:
        self.room = 0
        self.batches: list[list[int]] = []
        self.resets: list[int] = []
        self.error: Exception | None = None

    def resize(self, streams: int) -> None:
        self.room = max(self.room, streams)

    def reset(self, stream: int) -> None:
        assert stream < self.room
        self.resets.append(stream)

    def score(self, streams: list[int], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        assert len(set(streams)) == len(streams) == len(windows)
        assert max(streams) < self.room
        assert windows.shape[1:] == (512,)
        if self.error:
            raise self.error
        self.batches.append(streams)
        return windows[:, 0].copy()


def sound(value: float, samples: int = 512) -> Samples:
    return np.full(samples, value, np.float32)


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_windows_of_one_turn_are_scored_in_one_batch() -> None:
    vad, heard = Level(), dict[int, list[float]]()
    shared = SharedVad(vad)
    streams = [shared.open(heard.setdefault(n, []).append) for n in range(5)]
    for n, stream in enumerate(streams):
        stream.push(sound(n / 10))
    assert not vad.batches  # pushing is cheap, nothing is scored in it
    await turn()
    assert [len(batch) for batch in vad.batches] == [5]
    assert [scores[0] for scores in heard.values()] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("size", [1, 160, 320, 511, 512, 513, 1500])
async def test_sound_of_any_length_is_cut_into_windows(size: int) -> None:
    shared, heard = SharedVad(Level()), list[float]()
    stream = shared.open(heard.append)
    whole = np.concatenate([sound(n / 10) for n in range(6)])
    for first in range(0, len(whole), size):
        stream.push(whole[first : first + size])
        await turn()
    assert heard == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])


async def test_several_windows_at_once_are_told_in_order() -> None:
    vad, heard = Level(), list[float]()
    stream = SharedVad(vad).open(heard.append)
    stream.push(np.concatenate([sound(n / 10) for n in range(4)]))
    await turn()
    await turn()
    assert heard == pytest.approx([0.0, 0.1, 0.2, 0.3])


async def test_only_the_last_ten_seconds_wait() -> None:
    shared, heard = SharedVad(Level()), list[float]()
    stream = shared.open(heard.append)
    for n in range(1_000):  # 32 s in one loop turn
        stream.push(sound(n / 1_000))
    await asyncio.sleep(1.0)
    assert len(heard) == 160_000 // 512
    assert heard[-1] == pytest.approx(0.998, abs=0.0011)
    stream.push(sound(0.5, 400_000))  # and one push alone is no way around it
    heard.clear()
    await asyncio.sleep(1.0)
    assert len(heard) == 160_000 // 512


async def test_crowd_is_collected_for_two_milliseconds() -> None:
    vad = Level()
    shared = SharedVad(vad)
    streams = [shared.open(lambda _: None) for _ in range(20)]
    loop = asyncio.get_running_loop()
    start = loop.time()
    for stream in streams[:10]:
        stream.push(sound(0.5))
    await turn()
    for stream in streams[10:]:
        stream.push(sound(0.5))
    assert not vad.batches
    await asyncio.sleep(0.0021)
    assert [len(batch) for batch in vad.batches] == [20]
    assert loop.time() - start < 0.003


async def test_growing_crowd_keeps_what_was_heard() -> None:
    manager = VADManager()
    await manager.use([Choice(id="silero")])
    alone, among = list[float](), list[float]()
    rng = np.random.default_rng(3)
    noise = (rng.standard_normal(512 * 20) * 0.05).astype(np.float32)
    single = SharedVad(manager).open(alone.append)
    for n in range(20):
        single.push(noise[n * 512 : (n + 1) * 512])
        await turn()
    single.close()
    shared = SharedVad(manager)
    stream = shared.open(among.append)
    for n in range(20):
        stream.push(noise[n * 512 : (n + 1) * 512])
        await asyncio.sleep(0.01)
        for _ in range(4):
            shared.open(lambda _: None)
    assert len(shared) == 81
    assert among == pytest.approx(alone, abs=1e-5)
    await manager.close()


async def test_closed_stream_is_told_nothing_more_and_its_place_is_used_again() -> None:
    vad, heard = Level(), list[float]()
    shared = SharedVad(vad)
    stream = shared.open(heard.append)
    stream.push(sound(0.5))
    stream.close()
    stream.close()
    stream.push(sound(0.5))
    stream.reset()
    await turn()
    assert not heard
    vad.resets.clear()
    again = shared.open(heard.append)
    assert vad.resets == [stream.index] == [again.index]
    for _ in range(200):
        shared.open(heard.append).close()
    assert vad.room == 16


async def test_reset_forgets_the_half_window_and_the_past() -> None:
    vad, heard = Level(), list[float]()
    stream = SharedVad(vad).open(heard.append)
    stream.push(sound(0.1, 500))
    vad.resets.clear()
    stream.reset()
    stream.push(sound(0.9, 512))
    await turn()
    assert vad.resets == [stream.index]
    assert heard == pytest.approx([0.9])


async def test_listener_may_close_others_from_its_call() -> None:
    shared, heard = SharedVad(Level()), list[float]()
    streams = [shared.open(heard.append)]
    first = shared.open(lambda _: streams[1].close())
    streams.append(shared.open(heard.append))
    for stream in (first, *streams):
        stream.push(sound(0.5))
    await turn()
    assert heard == [0.5]


async def test_listener_that_fails_does_not_make_the_others_deaf(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: float) -> None:
        raise RuntimeError("sick")

    shared, heard = SharedVad(Level()), list[float]()
    listeners: list[Callable[[float], None]] = [fail, heard.append]
    for stream in [shared.open(listener) for listener in listeners]:
        stream.push(sound(0.5))
    await turn()
    assert heard == [0.5]
    assert "listener" in caplog.text


async def test_detector_that_fails_hears_nobody_until_it_works_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    vad, heard = Level(), list[float]()
    stream = SharedVad(vad).open(heard.append)
    vad.error = OperationError("broken", provider="level", is_retryable=False)
    stream.push(sound(0.5))
    await turn()
    vad.error = None
    stream.push(sound(0.5))
    await turn()
    assert heard == [0.0, 0.5]
    assert "the voice detector failed" in caplog.text
