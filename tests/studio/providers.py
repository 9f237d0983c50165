"""Providers for tests that need a real manager between the room and its voice."""

from __future__ import annotations

from typing import ClassVar

from studio.players import ToneVoice
from voxelle.audio import AudioFrame
from voxelle.operations.base import Options, Provider
from voxelle.operations.registry import Registry
from voxelle.operations.tts.manager import TTSManager
from voxelle.streams import Stream


class DyingVoice(Provider):
    """Breaks off in its first line, and is dead from then on."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.is_dead = False

    async def speak(self, line: str) -> Stream[AudioFrame]:
        if self.is_dead:
            raise ConnectionError("the voice's server is gone")
        async for frame in ToneVoice().speak(line):
            if frame.start >= 0.6:
                self.is_dead = True
                raise ConnectionError("the voice's server hung up")
            yield frame


class SpareVoice(Provider):
    """Speaks half as fast, so that one can tell who speaks."""

    lines: ClassVar[list[str]] = []

    async def speak(self, line: str) -> Stream[AudioFrame]:
        self.lines.append(line)
        async for frame in ToneVoice(word_s=0.5).speak(line):
            yield frame


class TwoVoices(TTSManager):
    """A voice manager that knows these two."""

    registry = Registry(
        "tts",
        {"dying": "studio.providers:DyingVoice", "spare": "studio.providers:SpareVoice"},
        {},
    )
