"""Who performs: everything that the rooms of one process share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from voxelle.messages import Tool
from voxelle.operations.base import STT, T2T, TTS, AudioFilter, TextFilter
from voxelle.operations.vad.shared import SharedVad
from voxelle.prompter.prompter import Prompter


def utc_now() -> datetime:
    """Tell the time of day."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Cast:
    """The ears, the mind, the voice, and what stands between them."""

    stt: STT
    t2t: T2T
    tts: TTS
    vad: SharedVad
    prompter: Prompter
    audio_filter: AudioFilter
    text_filter: TextFilter
    tools: tuple[Tool, ...] = ()

    is_paid: Callable[[], bool] = lambda: False
    """Whether a reply costs money just now; asked before each speculation."""

    remark: Callable[[], str] = lambda: ""
    """A sentence for people about who performs just now, such as that the mind is a demo."""

    wall_clock: Callable[[], datetime] = utc_now
    """The time of day, for prompts; never for waiting."""

    @property
    def expressions(self) -> frozenset[str]:
        """Names of the expressions that the character has."""
        return frozenset(self.prompter.character.expressions)
