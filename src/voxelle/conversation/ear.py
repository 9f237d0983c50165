"""One member's ear: sound in, utterances out."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from voxelle.audio import EAR_RATE, AudioFrame
from voxelle.conversation.endpointing import Endpointing
from voxelle.conversation.segmenter import (
    ONSET_WINDOWS,
    PAUSE_WINDOWS,
    WINDOW_SECONDS,
    Change,
    Segmenter,
)
from voxelle.conversation.settings import EndpointingSettings
from voxelle.conversation.utterance import Utterance
from voxelle.events import Member
from voxelle.operations.vad.shared import SharedVad
from voxelle.utils.validators import audio, rate

PRE_ROLL_S = 0.35
"""Sound kept from before speech is noticed: the noticing (0.06-0.11 s) and a soft first sound."""

LONGEST_FRAME_S = 60.0
"""Seconds of sound that may come at once; live sound comes in 0.02 s."""

GAP_S = 0.1
"""Seconds without sound that count as silence: Discord and talk keys send nothing when silent."""

FALSE_CUT_S = 1.0
"""Speech that goes on so soon after its end was decided shows that the end came too early."""


class EarListener(Protocol):
    """Who wants to know what an ear notices."""

    def speech_changed(self, ear: Ear, change: Change) -> None:
        """Take note of a beginning, a pause, or an end; `ear.utterance` is the one meant."""
        ...

    def speech_goes_on(self, ear: Ear) -> None:
        """Take note of one more window of speech in `ear.utterance`."""
        ...


class Ear:
    """Listens to one member, and keeps what they are saying.

    Everything here happens in the event loop at once: no task, no queue.
    """

    def __init__(
        self, member: Member, vad: SharedVad, settings: EndpointingSettings, listener: EarListener
    ) -> None:
        self.member = member
        self.endpointing = Endpointing(settings)
        self.utterance: Utterance | None = None
        """What is being said now; after its end, what was said last."""
        self._listener = listener
        self._segmenter = Segmenter(self._silence_s, settings.longest_s)
        self._vad = vad.open(self._score)
        self._pre_roll: deque[AudioFrame] = deque()
        self._pre_roll_s = 0.0
        self._heard_at = 0.0
        self._gap: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def is_speech(self) -> bool:
        """Whether the member is speaking, or pausing within an utterance."""
        return self._segmenter.is_speech

    @property
    def is_paused(self) -> bool:
        """Whether the member is silent within an utterance."""
        return self._segmenter.is_paused

    @property
    def voiced_s(self) -> float:
        """Seconds of voice in the utterance so far."""
        return self._segmenter.voiced_s

    def hear(self, frame: AudioFrame) -> None:
        """Take sound at 16 kHz; raise `ValidationError` for another rate, NaN or too much."""
        rate(frame.rate, "the rate of what is heard", exactly=EAR_RATE)
        audio(frame.samples, "what is heard", rate_hz=EAR_RATE, most_s=LONGEST_FRAME_S)
        self._heard_at = self._loop.time()
        self._vad.push(frame.samples)
        if self._segmenter.is_speech and self.utterance is not None:
            self.utterance.add(frame)
        else:
            self._keep(frame)

    def finish(self) -> None:
        """End the utterance now, because its speaker says that it is complete."""
        if change := self._segmenter.finish():
            self._tell(change)
        self._vad.reset()

    def close(self) -> None:
        """Stop listening; what is being said ends here."""
        self.finish()
        self._vad.close()
        if self._gap is not None:
            self._gap.cancel()

    def _keep(self, frame: AudioFrame) -> None:
        self._pre_roll.append(frame)
        self._pre_roll_s += frame.seconds
        # What is not scored yet may turn out to be speech, however much came at once.
        keep = PRE_ROLL_S + self._vad.waiting / EAR_RATE
        while self._pre_roll_s - self._pre_roll[0].seconds >= keep:
            self._pre_roll_s -= self._pre_roll.popleft().seconds

    def _silence_s(self) -> float:
        return self.endpointing.silence_s(self.utterance.partial if self.utterance else "")

    def _score(self, probability: float) -> None:
        silence_s = self._segmenter.silence_s
        change = self._segmenter.feed(probability)
        if change is Change.RESUMED:
            self.endpointing.note_pause(silence_s)
        if change is not None:
            self._tell(change)
        elif self._segmenter.is_speech and not self._segmenter.is_paused:
            self._note_speech()
            self._listener.speech_goes_on(self)

    def _note_speech(self) -> None:
        if self.utterance is not None:
            self.utterance.speech_s = self._segmenter.speech_s
            self.utterance.voice_ended_at = self._loop.time()

    def _tell(self, change: Change) -> None:
        now = self._loop.time()
        if change is Change.STARTED:
            self._begin(now)
        elif self.utterance is not None:
            self.utterance.speech_s = self._segmenter.speech_s
            if change in (Change.ENDED, Change.CUT):
                self._pre_roll.clear()
                self._pre_roll_s = 0.0
                self.utterance.end(now)
            elif change is Change.PAUSED:
                self.utterance.voice_ended_at = now - PAUSE_WINDOWS * WINDOW_SECONDS
        self._listener.speech_changed(self, change)

    def _begin(self, now: float) -> None:
        started_at = now - ONSET_WINDOWS * WINDOW_SECONDS
        before = self.utterance
        if before is not None and before.ended_at is not None:
            gap = started_at - before.voice_ended_at
            if started_at - before.ended_at < FALSE_CUT_S:
                self.endpointing.note_pause(gap)
        self.utterance = Utterance(self.member, started_at)
        self.utterance.speech_s = self._segmenter.speech_s
        for frame in self._pre_roll:
            self.utterance.add(frame)
        self._pre_roll.clear()
        self._pre_roll_s = 0.0
        if self._gap is None:
            self._gap = self._loop.call_later(GAP_S, self._fill_gap)

    def _fill_gap(self) -> None:
        """Count silence that is not sent, so that an utterance ends without a single frame."""
        self._gap = None
        if not self._segmenter.is_speech:
            return
        wait = self._heard_at + GAP_S - self._loop.time()
        if wait <= 0:
            self._score(0.0)
            wait = WINDOW_SECONDS
        if self._segmenter.is_speech:
            self._gap = self._loop.call_later(wait, self._fill_gap)
