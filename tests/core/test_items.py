"""Providers that give what is no answer at all."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import numpy as np
import pytest

from voxelle.audio import AudioFrame
from voxelle.messages import Message
from voxelle.operations.base import Options, Provider, Transcript
from voxelle.operations.manager import OperationManager
from voxelle.operations.registry import Choice, Registry
from voxelle.operations.stt.manager import STTManager
from voxelle.operations.t2t.manager import T2TManager
from voxelle.operations.tts.manager import TTSManager
from voxelle.streams import Stream
from voxelle.utils.exceptions import OperationError

GOOD: dict[str, Any] = {
    "stt": Transcript("yes", is_final=True),
    "t2t": "yes",
    "tts": AudioFrame(np.ones(480, np.float32), 24_000),
}


class AnythingOptions(Options):
    is_good: bool = False


class Anything(Provider):
    """Gives, or raises, whatever a test wants; as a fallback it behaves."""

    options_type = AnythingOptions
    item: ClassVar[Any] = None
    good: ClassVar[Any] = None

    async def _give(self) -> Stream[Any]:
        item = self.good if self.options.is_good else self.item
        if isinstance(item, BaseException):
            raise item
        yield item

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Any]:
        async for item in self._give():
            yield item

    def reply(self, messages: object, tools: object = ()) -> Stream[Any]:
        return self._give()

    def speak(self, line: str) -> Stream[Any]:
        return self._give()


class AnythingRegistry(Registry):
    def find(self, name: str) -> type[Provider]:
        return Anything


class Ears(STTManager):
    registry = AnythingRegistry("stt", {}, {})


class Minds(T2TManager):
    registry = AnythingRegistry("t2t", {}, {})


class Voices(TTSManager):
    registry = AnythingRegistry("tts", {}, {})


async def silence() -> Stream[AudioFrame]:
    yield AudioFrame(np.zeros(320, np.float32), 16_000)


async def ask(kind: str, item: Any, monkeypatch: pytest.MonkeyPatch, *, spare: bool) -> list[Any]:
    monkeypatch.setattr(Anything, "item", item)
    monkeypatch.setattr(Anything, "good", GOOD[kind])
    choices = [Choice.model_validate({"id": "bad"})]
    if spare:
        choices.append(Choice.model_validate({"id": "good", "is_good": True}))
    ears, minds, voices = Ears(), Minds(), Voices()
    managers: dict[str, OperationManager[Any]] = {"stt": ears, "t2t": minds, "tts": voices}
    manager = managers[kind]
    await manager.use(choices)
    try:
        match kind:
            case "stt":
                return [given async for given in ears.transcribe(silence())]
            case "t2t":
                return [given async for given in minds.reply((Message("user", "hi"),))]
            case _:
                return [given async for given in voices.speak("hi")]
    finally:
        await manager.close()


BAD = [
    ("stt", None),
    ("stt", "yes"),
    ("stt", Transcript(None, is_final=True)),  # type: ignore[arg-type]
    ("stt", Transcript("yes", is_final=None)),  # type: ignore[arg-type]
    ("t2t", 5),
    ("t2t", b"yes"),
    ("tts", b"yes"),
    ("tts", AudioFrame(np.zeros(480, np.float32), 0)),
    ("tts", AudioFrame(np.zeros((480, 2), np.float32), 24_000)),
    ("tts", AudioFrame(np.zeros(480, np.int16), 24_000)),
    ("tts", AudioFrame(np.full(480, np.nan, np.float32), 24_000)),
    ("tts", [0.0]),
]


@pytest.mark.parametrize(("kind", "item"), BAD)
async def test_what_is_no_answer_is_the_providers_failure(
    kind: str, item: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OperationError, match="bad: what was given is no ") as caught:
        await ask(kind, item, monkeypatch, spare=False)
    assert caught.value.component == kind
    assert await ask(kind, item, monkeypatch, spare=True) == [GOOD[kind]]


@pytest.mark.parametrize("kind", sorted(GOOD))
async def test_what_is_an_answer_passes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await ask(kind, GOOD[kind], monkeypatch, spare=False) == [GOOD[kind]]


@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError(), GeneratorExit(), StopAsyncIteration(), TimeoutError(), KeyError()],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("kind", sorted(GOOD))
async def test_whatever_a_provider_raises_by_itself_is_its_failure(
    kind: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OperationError, match="bad"):
        await ask(kind, error, monkeypatch, spare=False)
    assert await ask(kind, error, monkeypatch, spare=True) == [GOOD[kind]]


async def test_a_cancelled_reader_is_cancelled_all_the_same() -> None:
    async def endless() -> Stream[Any]:
        await asyncio.sleep(3600)
        yield None

    async def first(stream: Stream[Any]) -> None:
        await anext(stream)

    manager = Ears()
    stream = manager.guard(endless(), "ear")
    task = asyncio.create_task(first(stream))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
