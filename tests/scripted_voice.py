"""A provider that does what a test tells it, and keeps a diary of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from voxelle.operations.base import Options, Provider
from voxelle.operations.manager import OperationManager
from voxelle.operations.registry import Choice, Registry
from voxelle.streams import Stream
from voxelle.utils.exceptions import TTSError

Step: TypeAlias = str | float | BaseException
"""An item to give, seconds to wait, or an error to raise."""


@dataclass
class Script:
    """What one voice does."""

    name: str
    requests: list[tuple[Step, ...]] = field(default_factory=list)
    """One entry per request; the last one is repeated."""

    on_open: tuple[Step, ...] = ()
    on_close: tuple[Step, ...] = ()
    diary: list[str] = field(default_factory=list)
    asked: int = 0

    @property
    def choice(self) -> Choice:
        return Choice.model_validate({"id": self.name, "script": self.name})


SCRIPTS: dict[str, Script] = {}


@contextmanager
def scripts(*all_of_them: Script) -> Iterator[None]:
    SCRIPTS.update({script.name: script for script in all_of_them})
    try:
        yield
    finally:
        SCRIPTS.clear()


class VoiceOptions(Options):
    script: str


class Voice(Provider):
    options_type = VoiceOptions
    options: VoiceOptions

    @property
    def script(self) -> Script:
        return SCRIPTS[self.options.script]

    async def __aenter__(self) -> Voice:
        async for _ in perform(self.script.on_open):
            pass
        self.script.diary.append("opened")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.script.diary.append("closed")
        async for _ in perform(self.script.on_close):
            pass

    async def speak(self, line: str) -> Stream[str]:
        script = self.script
        request = script.requests[min(script.asked, len(script.requests) - 1)]
        script.asked += 1
        try:
            async for item in perform(request):
                yield item
        except BaseException as error:
            script.diary.append(type(error).__name__)
            raise


class PaidVoice(Voice):
    is_paid = True


async def perform(steps: tuple[Step, ...]) -> Stream[str]:
    for step in steps:
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, float):
            await asyncio.sleep(step)
        else:
            yield step


class VoiceManager(OperationManager[Voice]):
    registry = Registry(
        "scripted",
        dict.fromkeys(("anna", "bert", "carl"), "scripted_voice:Voice")
        | {"paid": "scripted_voice:PaidVoice", "absent": "no_such_package_at_all:Voice"},
        {"absent": "absent"},
    )
    error = TTSError

    def speak(self, line: str) -> Stream[str]:
        return self.attempt(lambda voice: voice.speak(line))
