"""Notices of one room as messages, each made only once for all who listen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import soxr

from voxelle.audio import VOICE_RATE
from voxelle.events import AudioEnded, AudioSpoken, Notice, VoiceStopped, encode

Wired: TypeAlias = tuple[bytes, bool]
"""One message, and whether it is text."""


class NoticeEncoder:
    """Writes a room's notices, the voice at any rate that is asked for.

    A room tells each notice to all its listeners in a row, so remembering the last one per
    rate is enough to write it once.
    """

    def __init__(self) -> None:
        self._last: dict[int, tuple[Notice, tuple[Wired, ...]]] = {}
        self._voices: dict[int, _VoiceAtRate] = {}

    def encode(self, notice: Notice, rate: int = VOICE_RATE) -> tuple[Wired, ...]:
        """Write a notice for a listener that hears at `rate` hertz: none, one or two messages."""
        voice_matters = isinstance(notice, AudioSpoken | AudioEnded | VoiceStopped)
        key = rate if voice_matters else VOICE_RATE
        last = self._last.get(key)
        if last is None or last[0] is not notice:
            last = notice, tuple(self._write(notice, key))
            self._last[key] = last
        return last[1]

    def _write(self, notice: Notice, rate: int) -> list[Wired]:
        if rate == VOICE_RATE:
            return [_wired(notice)]
        voice = self._voices.setdefault(rate, _VoiceAtRate(rate))
        if isinstance(notice, AudioSpoken):
            spoken = voice.convert(notice)
            return [_wired(spoken)] if spoken else []
        rest = voice.end(notice.turn) if isinstance(notice, AudioEnded) else None
        if isinstance(notice, VoiceStopped):
            voice.forget()
        return [_wired(event) for event in (rest, notice) if event]


def _wired(notice: Notice) -> Wired:
    return encode(notice), not notice.payload


@dataclass(slots=True)
class _Run:
    """A turn's sound without a gap, on its way through the resampler."""

    turn: int
    start: float
    taken: int
    given: int
    stream: soxr.ResampleStream


class _VoiceAtRate:
    """Resamples the voice, turn by turn."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._run: _Run | None = None

    def convert(self, spoken: AudioSpoken) -> AudioSpoken | None:
        """Give what can be given so far, or None if nothing can."""
        run = self._run
        if run is None or run.turn != spoken.turn or not _continues(run, spoken):
            # "LQ" is about 1 ms behind at 48 kHz (measured); "HQ" would eat 32 ms of the lead.
            stream = soxr.ResampleStream(spoken.rate, self._rate, 1, dtype="int16", quality="LQ")
            run = self._run = _Run(spoken.turn, spoken.start, 0, 0, stream)
        run.taken += len(spoken.payload) // 2
        return self._give(run, np.frombuffer(spoken.payload, dtype="<i2"), is_last=False)

    def end(self, turn: int) -> AudioSpoken | None:
        """Give the rest of a turn, or None if there is none."""
        run, self._run = self._run, None
        if run is None or run.turn != turn:
            return None
        return self._give(run, np.zeros(0, dtype="<i2"), is_last=True)

    def forget(self) -> None:
        """Drop what is still inside."""
        self._run = None

    def _give(self, run: _Run, samples: np.ndarray, *, is_last: bool) -> AudioSpoken | None:
        made = run.stream.resample_chunk(samples, last=is_last)
        if not len(made):
            return None
        start = run.start + run.given / self._rate
        run.given += len(made)
        payload = made.astype("<i2", copy=False).tobytes()
        return AudioSpoken(turn=run.turn, rate=self._rate, start=start, payload=payload)


def _continues(run: _Run, spoken: AudioSpoken) -> bool:
    expected = run.start + run.taken / spoken.rate
    return abs(expected - spoken.start) < 0.001
