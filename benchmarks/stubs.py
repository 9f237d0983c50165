"""Operations that take no time, and people who listen: what a benchmark of the engine needs."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Sequence
from contextlib import aclosing
from importlib.metadata import version

import numpy as np

from voxelle.audio import EAR_RATE, FRAME_SECONDS, VOICE_RATE, AudioFrame
from voxelle.conversation.cast import Cast
from voxelle.events import AudioSpoken, LatencyMeasured, Notice, VoiceStopped
from voxelle.messages import Message, Tool
from voxelle.operations.base import Transcript
from voxelle.operations.vad.shared import SharedVad
from voxelle.operations.vad.silero import SileroVAD
from voxelle.prompter.character import Character
from voxelle.prompter.prompter import Prompter
from voxelle.prompter.scene import Scene
from voxelle.prompter.settings import PrompterSettings
from voxelle.streams import Stream

REPLY = "Well hello there, my friend. It is good to hear from you again on this fine evening."
WORD_S = 0.2
EAR_FRAME = round(EAR_RATE * FRAME_SECONDS)


class StubMind:
    """Has its whole reply ready."""

    async def reply(
        self, messages: tuple[Message, ...], tools: tuple[Tool, ...] = ()
    ) -> Stream[str]:
        for word in REPLY.split(" "):
            yield word + " "


class StubVoice:
    """Has the sound of every line ready."""

    _samples = np.full(round(VOICE_RATE * FRAME_SECONDS), 0.1, np.float32)

    async def speak(self, line: str) -> Stream[AudioFrame]:
        for index in range(round(len(line.split()) * WORD_S / FRAME_SECONDS)):
            yield AudioFrame(self._samples, VOICE_RATE, index * FRAME_SECONDS)
            if index % 16 == 15:  # a real voice is another process: it never holds the loop
                await asyncio.sleep(0)


class StubEar:
    """Understands everything as soon as it is said."""

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        async with aclosing(utterance):
            async for _ in utterance:
                pass
        yield Transcript("Tell me something nice.", is_final=True)


class NoFilter:
    """Changes nothing in a text."""

    def apply(self, text: Stream[str]) -> Stream[str]:
        return text


class NoEffect:
    """Changes nothing in a sound."""

    def apply(self, audio: Stream[AudioFrame]) -> Stream[AudioFrame]:
        return audio


class Audience:
    """Counts what arrives, and how often a loudspeaker with a 60 ms buffer would have run dry."""

    plays_audio = True
    prebuffer_s = 0.06

    def __init__(self) -> None:
        self.overheads: list[float] = []
        self.frames = 0
        self.underruns = 0
        self.first_sound: asyncio.Event = asyncio.Event()
        self.stopped_at = 0.0
        self._turn = 0
        self._empty_at = 0.0

    def take(self, notice: Notice) -> None:
        """Take note of sound and of how late it is."""
        if isinstance(notice, AudioSpoken):
            now = asyncio.get_running_loop().time()
            self.frames += 1
            if notice.turn != self._turn:
                self._turn, self._empty_at = notice.turn, now + self.prebuffer_s
            elif now > self._empty_at:
                self.underruns += 1
                self._empty_at = now + self.prebuffer_s
            self._empty_at += FRAME_SECONDS
            self.first_sound.set()
        elif isinstance(notice, LatencyMeasured):
            self.overheads.append(notice.stages["sound"])
        elif isinstance(notice, VoiceStopped):
            self.stopped_at = asyncio.get_running_loop().time()


def make_cast(vad: SharedVad) -> Cast:
    """Put stubs together; the prompter is the real one."""
    character = Character(name="Voxelle", about="A cheerful co-host.")
    return Cast(
        stt=StubEar(),
        t2t=StubMind(),
        tts=StubVoice(),
        vad=vad,
        prompter=Prompter(
            character, Scene(name="bench", text="A stream."), "Be kind.", PrompterSettings()
        ),
        audio_filter=NoEffect(),
        text_filter=NoFilter(),
    )


async def open_vad() -> SharedVad:
    """Open the real voice detector."""
    vad = SileroVAD(SileroVAD.options_type())
    await vad.__aenter__()
    return SharedVad(vad)


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value that this share of them does not exceed."""
    return float(np.percentile(np.asarray(values), share * 100))


def machine() -> str:
    """Say what this runs on."""
    return (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} "
        f"{platform.machine()}, numpy {version('numpy')}"
    )
