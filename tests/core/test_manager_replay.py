from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import numpy as np
import pytest

from voxelle.audio import AudioFrame
from voxelle.conversation.hearing import UNDERSTAND_S
from voxelle.operations.base import Provider, Transcript
from voxelle.operations.manager import OperationManager
from voxelle.operations.patience import Patience
from voxelle.operations.registry import Choice, Registry
from voxelle.operations.replay import Replay, replayable
from voxelle.processes.worker import WorkerSettings
from voxelle.streams import Stream, prefetch
from voxelle.utils.exceptions import STTError

SECOND = np.zeros(16_000, np.float32)


async def utterance(seconds: int, ended: list[str] | None = None) -> Stream[AudioFrame]:
    """Somebody who speaks in real time, one frame per second."""
    try:
        for number in range(seconds):
            await asyncio.sleep(1)
            yield AudioFrame(SECOND, 16_000, float(number))
    finally:
        if ended is not None:
            ended.append("closed")


class CountingEar(Provider):
    """Says how many frames it heard, once it heard them all."""

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        async with prefetch(utterance, ahead=2) as frames:
            heard = [frame.start async for frame in frames]
        assert heard == sorted(heard)
        yield Transcript(str(len(heard)), is_final=True)


class BrokenEar(Provider):
    """Hears three frames, and then its line is cut."""

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        async with prefetch(utterance, ahead=2) as frames:
            for _ in range(3):
                await anext(frames)
            raise ConnectionError("gone")
        yield Transcript("", is_final=True)


class SilentEar(Provider):
    """Hears everything and says nothing; or does not even listen."""

    listens = True

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        if self.listens:
            async for _ in utterance:
                pass
        await asyncio.sleep(10_000)
        yield Transcript("", is_final=True)


class DeafEar(SilentEar):
    listens = False


class HastyEar(Provider):
    """Gives a partial transcript, and fails afterwards."""

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        await anext(utterance)
        yield Transcript("one", is_final=False)
        raise ConnectionError("gone")


class StallingEar(Provider):
    """Gives a partial transcript, and then nothing more."""

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        await anext(utterance)
        yield Transcript("one", is_final=False)
        await asyncio.sleep(10_000)


EARS: dict[str, type[Provider]] = {
    ear.__name__: ear for ear in (CountingEar, BrokenEar, SilentEar, DeafEar, HastyEar, StallingEar)
}


class EarRegistry(Registry):
    def find(self, name: str) -> type[Provider]:
        return EARS[name]


class EarManager(OperationManager[CountingEar]):
    registry = EarRegistry("stt", {}, {})
    error = STTError

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        async with replayable(utterance) as replay:
            ask: Callable[[CountingEar], Stream[Transcript]] = lambda ear: ear.transcribe(  # noqa: E731
                replay.again()
            )
            async with aclosing(self.attempt(ask, replay)) as transcripts:
                async for transcript in transcripts:
                    yield transcript


async def hear(seconds: int, *ears: str, ended: list[str] | None = None) -> list[str]:
    manager = EarManager(Patience(final_s=10, tries=1))
    await manager.use([Choice(id=ear) for ear in ears])
    try:
        stream = manager.transcribe(utterance(seconds, ended))
        return [transcript.text async for transcript in stream]
    finally:
        await manager.close()


async def test_the_next_ear_hears_the_utterance_from_its_beginning() -> None:
    ended: list[str] = []
    assert await hear(10, "BrokenEar", "BrokenEar", "CountingEar", ended=ended) == ["10"]
    assert ended == ["closed"]


async def test_the_time_for_an_answer_begins_when_the_person_has_finished() -> None:
    assert await hear(50, "CountingEar") == ["50"]
    before = asyncio.get_running_loop().time()
    assert await hear(10, "SilentEar", "CountingEar") == ["10"]
    assert asyncio.get_running_loop().time() - before == pytest.approx(15)


async def test_an_ear_that_does_not_listen_is_found_out_when_the_memory_is_full() -> None:
    before = asyncio.get_running_loop().time()
    assert await hear(600, "DeafEar", "CountingEar") == ["600"]
    assert asyncio.get_running_loop().time() - before < 610


async def test_nobody_else_is_asked_after_the_first_transcript() -> None:
    with pytest.raises(STTError, match="gone"):
        await hear(5, "HastyEar", "CountingEar")


async def test_nobody_else_is_asked_when_the_beginning_is_forgotten() -> None:
    ended: list[str] = []
    with pytest.raises(STTError, match="SilentEar gave nothing"):
        await hear(100, "SilentEar", "CountingEar", ended=ended)
    assert ended == ["closed"]


async def test_memory_is_bounded_and_goes_once_it_is_not_needed() -> None:
    async with replayable(utterance(100)) as replay:
        frames = replay.again()
        for _ in range(60):
            await anext(frames)
        assert replay._held_s <= 30
        assert not replay.may_replay
        with pytest.raises(ValueError, match="no longer known"):
            await anext(replay.again())
        replay.forget()
        assert len(replay._frames) == 0
        assert [frame.start async for frame in frames] == [float(n) for n in range(60, 100)]


async def test_a_reader_that_is_closed_leaves_the_utterance_open() -> None:
    ended: list[str] = []
    async with replayable(utterance(5, ended)) as replay:
        async with aclosing(replay.again()) as frames:
            await anext(frames)
        assert ended == []
        assert len([frame async for frame in replay.again()]) == 5


async def test_a_failure_of_the_source_reaches_the_reader() -> None:
    async def broken() -> Stream[AudioFrame]:
        yield AudioFrame(SECOND, 16_000)
        raise OSError("microphone unplugged")

    async with replayable(broken()) as replay:
        frames = replay.again()
        await anext(frames)
        with pytest.raises(OSError, match="unplugged"):
            await anext(frames)


async def test_an_ear_that_comes_late_owes_an_answer_at_once() -> None:
    replay = Replay()
    await replay.fill(utterance(1))
    owes: list[float | None] = []
    replay.watch(lambda: owes.append(replay.due_at))
    assert owes == [1.0]


async def test_sound_that_comes_at_once_gives_an_ear_the_time_it_took_to_speak() -> None:
    async def at_once() -> Stream[AudioFrame]:
        for number in range(20):
            yield AudioFrame(SECOND, 16_000, float(number))

    replay = Replay()
    await replay.fill(at_once())
    assert replay.due_at == 20.0


@pytest.mark.parametrize("listens", [True, False])
async def test_an_ear_that_hangs_is_followed_within_the_patience_and_then_left_alone(
    listens: bool,
) -> None:
    manager = EarManager()
    await manager.use([Choice(id="SilentEar" if listens else "DeafEar"), Choice(id="CountingEar")])
    loop = asyncio.get_running_loop()
    took: list[float] = []
    for _ in range(2):
        start = loop.time()
        assert [t.text async for t in manager.transcribe(utterance(5))] == ["5"]
        took.append(loop.time() - start - 5)
    assert took == [pytest.approx(6), pytest.approx(0)]
    assert (manager.status.state, manager.name) == ("degraded", "CountingEar")
    await manager.close()


async def test_all_ears_that_hang_fail_together_before_the_room_gives_up() -> None:
    for ears in (["DeafEar"], ["DeafEar", "SilentEar"], ["SilentEar", "DeafEar", "DeafEar"]):
        manager = EarManager()
        await manager.use([Choice(id=ear) for ear in ears])
        start = asyncio.get_running_loop().time()
        with pytest.raises(STTError, match="gave nothing in time"):
            await anext(manager.transcribe(utterance(5)))
        assert asyncio.get_running_loop().time() - start - 5 == pytest.approx(12)
        assert manager.status.state == "down"
        await manager.close()


def test_workers_give_up_before_managers_and_managers_before_rooms() -> None:
    patience, worker = Patience(), WorkerSettings("any")
    assert worker.cancel_s < worker.answer_s < patience.final_s / 2
    assert worker.answer_s < min(patience.first_item_s, patience.next_item_s)
    assert patience.final_s <= UNDERSTAND_S - 2


async def test_an_ear_that_hangs_after_its_first_words_has_failed_and_is_left_alone() -> None:
    manager = EarManager()
    await manager.use([Choice(id="StallingEar"), Choice(id="CountingEar")])
    start = asyncio.get_running_loop().time()
    heard: list[str] = []
    with pytest.raises(STTError, match="StallingEar gave no last words in time"):
        async for transcript in manager.transcribe(utterance(5)):
            heard.append(transcript.text)  # noqa: PERF401 - what came before the failure counts
    assert heard == ["one"]
    assert asyncio.get_running_loop().time() - start - 5 == pytest.approx(12)
    assert (manager.status.state, manager.name) == ("degraded", "CountingEar")
    assert [t.text async for t in manager.transcribe(utterance(5))] == ["5"]
    await manager.close()
