"""A room on virtual time with everything in it, for tests of the conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from studio.people import Chronicler, Loudspeaker, Person
from studio.players import LoudnessVad, NoEffect, NoFilter, ScriptedEar, ScriptedMind, ToneVoice
from voxelle.conversation.cast import Cast
from voxelle.conversation.clock import OutputClock
from voxelle.conversation.room import Room
from voxelle.conversation.settings import ConversationSettings
from voxelle.operations.vad.shared import SharedVad
from voxelle.prompter.character import Character
from voxelle.prompter.prompter import Prompter
from voxelle.prompter.scene import Scene
from voxelle.prompter.settings import PrompterSettings

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def make_prompter() -> Prompter:
    character = Character(
        name="Voxelle",
        about="A cheerful co-host.",
        expressions={"happy": "smiles", "sad": "frowns"},
    )
    return Prompter(character, Scene(name="test", text="A stream."), "Be kind.", PrompterSettings())


@dataclass
class Studio:
    """One room, its cast, a person and a loudspeaker."""

    ear: ScriptedEar
    mind: ScriptedMind
    voice: ToneVoice
    room: Room
    cast: Cast
    ann: Person
    speaker: Loudspeaker

    async def close(self) -> None:
        await self.room.close()


def open_studio(
    tell: Callable[[str], None],
    *,
    ear: ScriptedEar | None = None,
    mind: ScriptedMind | None = None,
    voice: ToneVoice | None = None,
    settings: ConversationSettings | None = None,
    **cast_changes: object,
) -> Studio:
    ear, mind, voice = ear or ScriptedEar(), mind or ScriptedMind(), voice or ToneVoice()
    cast = Cast(
        stt=ear,
        t2t=mind,
        tts=voice,
        vad=SharedVad(LoudnessVad()),
        prompter=make_prompter(),
        audio_filter=NoEffect(),
        text_filter=NoFilter(),
        wall_clock=lambda: NOON,
    )
    cast = replace(cast, **cast_changes)  # type: ignore[arg-type] # a test names what it changes
    room = Room("main", cast, settings or quiet_settings(), OutputClock())
    Chronicler(room, tell)
    return Studio(ear, mind, voice, room, cast, Person(room, "Ann"), Loudspeaker(room))


def quiet_settings(**changes: object) -> ConversationSettings:
    """Give settings without speculation and without talk by herself, unless asked for."""
    values = {"speculation": "off", "director": {"idle_s": 0}, **changes}
    return ConversationSettings.model_validate(values)
