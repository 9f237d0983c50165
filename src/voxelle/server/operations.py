"""The managers of all operations, opened from a config."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import structlog

from voxelle.config import Config, Role
from voxelle.operations.filter_audio.manager import AudioFilterManager
from voxelle.operations.filter_text.manager import TextFilterManager
from voxelle.operations.manager import OperationManager
from voxelle.operations.registry import Choice
from voxelle.operations.status import Status
from voxelle.operations.stt.manager import STTManager
from voxelle.operations.t2t.manager import T2TManager
from voxelle.operations.tts.manager import TTSManager
from voxelle.operations.vad.manager import VADManager
from voxelle.server.vocabulary import listening_for
from voxelle.utils.exceptions import VoxelleException

log = structlog.get_logger(__name__)

_LAST_RESORT = Choice(id="energy")
"""A voice detector that needs nothing: without any, nobody would be heard."""


class Operations:
    """Everything that hears, thinks and speaks."""

    def __init__(self, config: Config) -> None:
        self.character = ""
        """The name that the ears should know; set before opening."""
        patience = config.patience
        self.t2t = T2TManager(patience.get("t2t"))
        self.stt = STTManager(patience.get("stt"))
        self.tts = TTSManager(patience.get("tts"))
        self.vad = VADManager(patience.get("vad"))
        self.filter_audio = AudioFilterManager(patience.get("filter_audio"))
        self.filter_text = TextFilterManager(patience.get("filter_text"))

    def __iter__(self) -> Iterator[tuple[Role, OperationManager[Any]]]:
        yield "filter_text", self.filter_text
        yield "filter_audio", self.filter_audio
        yield "vad", self.vad
        yield "t2t", self.t2t
        yield "tts", self.tts
        yield "stt", self.stt

    @property
    def is_paid(self) -> bool:
        """Whether a reply costs money just now."""
        return self.t2t.is_paid or self.tts.is_paid

    async def open(self, config: Config, tell: Callable[[Status], None]) -> dict[Role, str]:
        """Open what the config names; give what could not be opened, each with a sentence.

        `tell` gets every change of status, now and later.
        """
        failures: dict[Role, str] = {}
        for role, manager in self:
            manager.on_change(tell)
            try:
                await manager.use(self._choices(role, config))
            except VoxelleException as error:
                log.exception("operation.not_opened", operation=role)
                failures[role] = str(error)
        if "vad" in failures:
            await self.vad.use([_LAST_RESORT])
        return failures

    async def change(self, role: Role, config: Config) -> None:
        """Put a new config's choices of one role into use.

        Raises `ConfigurationError` or the operation's error; what was in use then stays.
        """
        manager = dict(self)[role]
        manager.patience = config.patience.get(role, type(manager.patience)())
        await manager.use(self._choices(role, config))

    async def close(self) -> None:
        """Close everything, what was opened last first; a failure does not keep the rest open."""
        for role, manager in reversed(list(self)):
            try:
                await manager.close()
            except Exception:  # the show is over, and the others must be closed
                log.exception("operation.not_closed", operation=role)

    def _choices(self, role: Role, config: Config) -> tuple[Choice, ...]:
        choices = tuple(config.choices(role))
        if role != "stt" or not self.character:
            return choices
        return tuple(
            listening_for(choice, self.character, STTManager.registry) for choice in choices
        )
