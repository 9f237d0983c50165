"""A listener that keeps what it hears, and when; it plays her voice as a loudspeaker would."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from voxelle.conversation.room import Room
from voxelle.events import (
    AudioEnded,
    AudioSpoken,
    ErrorReported,
    LatencyMeasured,
    Notice,
    PlaybackReported,
    SpeechStarted,
    State,
    StateChanged,
    TranscriptUpdated,
    TurnEnded,
    TurnStarted,
    VoiceStopped,
)

REPORT_S = 0.1
"""Seconds between two reports of the playback; apps are asked for one every 0.25 s."""

STAGES = {
    "speech_end": "end of speech",
    "decided": "turn decided",
    "transcript": "transcript final",
    "first_token": "first token",
    "first_clause": "first clause",
    "first_audio": "first audio made",
    "audio_out": "first audio",
    "last_audio": "last audio",
}
"""What the moments of a turn are called, in the order in which they are told."""


@dataclass(slots=True)
class Answer:
    """One turn of hers."""

    number: int
    decided_at: float
    """The loop's time, in seconds."""

    question: str = ""
    reply: str = ""
    unheard: str = ""
    """What she would have said after it."""

    reason: str = ""
    detail: str = ""
    sound: list[bytes] = field(default_factory=list[bytes])
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds since the decision."""

    started_at: float = 0.0
    """The loop's time at its first sound; 0 before it."""

    is_complete: bool = False
    is_over: bool = False

    def timeline(self) -> list[tuple[str, float]]:
        """Give what happened and when, in seconds since the end of speech, in order."""
        stages = {"decided": 0.0, **self.stages}
        if self.started_at:
            stages["audio_out"] = self.started_at - self.decided_at
            stages["last_audio"] = self.started_at + self.seconds - self.decided_at
        origin = stages.get("speech_end", 0.0)
        known = [(STAGES[name], stages[name] - origin) for name in STAGES if name in stages]
        return sorted(known, key=lambda moment: moment[1])

    def facts(self) -> dict[str, Any]:
        """Give it for programs."""
        return {
            "heard": self.question,
            "spoken": self.reply,
            "unheard": self.unheard,
            "reason": self.reason,
            "detail": self.detail,
            "seconds": round(self.seconds, 3),
            "timeline": {what: round(seconds, 3) for what, seconds in self.timeline()},
        }


class Witness:
    """Listens in one room."""

    plays_audio = True

    def __init__(self, room: Room) -> None:
        self.answers: list[Answer] = []
        self.words: list[str] = []
        """What was said to her, utterance by utterance."""

        self.has_heard = False
        self.error = ""
        self._room = room
        self._asked = 0
        """How many of the words were answered, or are being answered."""

        self._state: State = "idle"
        self._now = asyncio.get_running_loop().time

    def is_done(self, waited_s: float) -> bool:
        """Tell whether she has said all; `waited_s` is how long ago the recording ended.

        Somebody who may not have finished, or whose words are not understood yet, is waited for:
        until then she listens or thinks.
        """
        over = bool(self.answers) and all(answer.is_over for answer in self.answers)
        return over and self._state in {"idle", "silenced"} and waited_s > 1.0

    def take(self, notice: Notice) -> None:
        """Take note of what happens."""
        match notice:
            case SpeechStarted():
                self.has_heard = True
            case StateChanged(state=state):
                self._state = state
            case TranscriptUpdated(is_final=True, text=text) if text:
                self.words.append(text)
            case TurnStarted(turn=number):
                self.answers.append(Answer(number, self._now(), self._question()))
            case ErrorReported(message=message):
                self.error = self.error or message
            case _:
                self._take_of_turn(notice)

    async def play(self) -> None:
        """Report how far the voice was played, in real time, until it is cancelled."""
        while True:
            await asyncio.sleep(REPORT_S)
            for answer in self.answers:
                if answer.started_at and not answer.is_over:
                    self._report(answer)

    def _question(self) -> str:
        words = self.words[self._asked :]
        self._asked = len(self.words)
        before = self.answers[-1] if self.answers else None
        # A question whose answer nobody heard a word of still stands.
        if before is not None and before.reason == "interrupted" and not before.reply:
            words.insert(0, before.question)
        return " ".join(words)

    def _take_of_turn(self, notice: Notice) -> None:
        number = getattr(notice, "turn", None)
        answer = next((each for each in self.answers if each.number == number), None)
        if answer is None:
            return
        match notice:
            case AudioSpoken():
                answer.started_at = answer.started_at or self._now()
                answer.sound.append(notice.payload)
                answer.seconds = notice.start + len(notice.payload) / 2 / notice.rate
            case AudioEnded() | VoiceStopped():
                answer.is_complete = True
            case LatencyMeasured(stages=stages):
                answer.stages = dict(stages)
            case TurnEnded():
                answer.is_over = True
                answer.reason, answer.detail = notice.reason, notice.detail
                answer.reply, answer.unheard = notice.heard, notice.unheard
            case _:
                pass

    def _report(self, answer: Answer) -> None:
        position = min(self._now() - answer.started_at, answer.seconds)
        is_done = answer.is_complete and position >= answer.seconds
        report = PlaybackReported(turn=answer.number, position=position, is_done=is_done)
        self._room.report(self, report)
