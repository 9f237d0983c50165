"""What one person says between two silences, while it is being said."""

from __future__ import annotations

import asyncio

from voxelle.audio import AudioFrame
from voxelle.events import Member
from voxelle.streams import Stream


class Utterance:
    """Grows while its speaker speaks; may be read by several readers, each from the beginning."""

    def __init__(self, member: Member, started_at: float) -> None:
        self.member = member
        self.started_at = started_at
        """Loop time at which the speech was noticed, in seconds."""
        self.ended_at: float | None = None
        """Loop time at which its end was decided."""
        self.voice_ended_at = started_at
        """Loop time of the last voice in it, as far as it is known."""
        self.speech_s = 0.0
        """Seconds of speech in it, its pauses included."""
        self.partial = ""
        """The words understood so far."""
        self.is_final = False
        """Whether `partial` is the final transcript."""
        self.told = ""
        """The partial transcript that listeners know already."""
        self.overlaps = 0
        """The number of her turn during which it began, 0 for none."""
        self.understood_at = started_at
        """Loop time at which its final words were known."""
        self.is_paused = False
        """Whether its speaker is silent just now."""
        self.speculations = 0
        """Replies that were begun on speculation during it."""
        self._frames: list[AudioFrame] = []
        self._grown = asyncio.Event()

    @property
    def is_ended(self) -> bool:
        """Whether it is complete."""
        return self.ended_at is not None

    def add(self, frame: AudioFrame) -> None:
        """Append sound; after the end it is dropped."""
        if self.is_ended:
            return
        self._frames.append(frame)
        self._grown.set()

    def end(self, now: float) -> None:
        """Say that it is complete; readers come to their end."""
        self.ended_at = now
        self._grown.set()

    def forget_sound(self) -> None:
        """Let the sound go, once nobody will read it any more."""
        self._frames.clear()

    async def frames(self) -> Stream[AudioFrame]:
        """Give its sound from the beginning, live, until it ends."""
        read = 0
        while True:
            while read < len(self._frames):
                read += 1
                yield self._frames[read - 1]
            if self.is_ended:
                return
            self._grown.clear()
            if read == len(self._frames):
                await self._grown.wait()
