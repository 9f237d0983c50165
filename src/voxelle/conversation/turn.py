"""A spoken reply as one thing that can be prepared, started, heard and interrupted."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import numpy as np

from voxelle.audio import VOICE_RATE, AudioFrame, reframe
from voxelle.conversation.cast import Cast
from voxelle.conversation.playout import Playout
from voxelle.conversation.script import Line, split_script
from voxelle.events import Source
from voxelle.messages import Message
from voxelle.streams import Stream, prefetch
from voxelle.text import Clause, clauses
from voxelle.utils.exceptions import TTSError

log = logging.getLogger(__name__)

CLAUSES_AHEAD = 2
"""Clauses the language model may be ahead of the voice."""

VOICE_TRIES = 2
"""How often a line is tried: a voice that breaks is followed once, by whichever the manager has."""

MOST_CHARACTERS_PER_SECOND = 40
"""Characters of a reply per second that it may last: fast speech has 20, the rest is markup."""

LONGEST_WRITING = 2.0
"""How much longer than a reply may last the language model may take to write it."""

_SILENCE = AudioFrame(np.zeros(0, np.float32), VOICE_RATE)


@dataclass(slots=True)
class Task:
    """What a turn is to do."""

    source: Source
    messages: tuple[Message, ...] = ()
    exact: str = ""
    """The very words to say; the language model is not asked then."""
    to: str = ""
    """Display name of whom she answers, if it is one person."""
    answered_s: dict[str, float] = field(default_factory=dict[str, float])
    """Loop times of what came before the decision: `speech_end` and `transcript`."""


class Turn:
    """One spoken reply, from the prompt to silence.

    Await `perform()` to let it be heard to the end; cancel that to end the requests to the
    voice and the language model. Until `commit()` nothing is heard, and only the first clause is
    spoken. `split()` tells what the audience got, which is what belongs in the history.
    """

    def __init__(
        self, number: int, task: Task, cast: Cast, playout: Playout, longest_s: float
    ) -> None:
        self.number = number
        self.task = task
        self.playout = playout
        self.script: list[Line] = []
        self.decided_at = 0.0
        """Loop time of the decision to speak, in seconds."""
        self.stamps: dict[str, float] = {}
        """Loop times of first_token, first_clause and first_audio."""
        self.is_committed = False
        self.ended = asyncio.Event()
        """Set when `perform()` is over, or is not waited for any more."""
        self._longest_s = longest_s
        self._cast = cast
        self._committed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def is_unheard(self) -> bool:
        """Whether no sound of it got out."""
        return self.playout.started_at is None

    def commit(self) -> None:
        """Let it be heard: the decision is made."""
        self.is_committed = True
        self.decided_at = self._loop.time()
        self._committed.set()
        self.playout.open()

    def split(self) -> tuple[str, str]:
        """Tell what was heard of the reply so far, to the last whole word, and the rest."""
        return split_script(self.script, self.playout.heard_s())

    async def perform(self) -> None:
        """Speak the reply and wait until it was heard.

        Raises the `OperationError` of a provider that failed, after what was made before was heard.
        """
        failure: Exception | None = None
        try:
            async with prefetch(self._clauses(), ahead=CLAUSES_AHEAD) as lines:
                async for clause in lines:
                    await self._speak(clause)
                    await self._committed.wait()
                    if self._is_too_long:
                        log.warning("reply cut: it is too long", extra={"turn": self.number})
                        break
        except Exception as error:  # noqa: BLE001 - raised again below
            failure = error
        await self._committed.wait()
        await self.playout.finish()
        if failure is not None:
            raise failure

    def latency(self) -> dict[str, float]:
        """Tell how long each stage took, in seconds from the decision (negative: before it)."""
        stamps = {**self.task.answered_s, **self.stamps}
        return {name: round(at - self.decided_at, 6) for name, at in stamps.items()}

    async def _clauses(self) -> Stream[Clause]:
        text = self._cast.text_filter.apply(self._reply())
        async with aclosing(clauses(text, expressions=self._cast.expressions)) as cut:
            async for clause in cut:
                self._stamp("first_clause")
                yield clause

    async def _reply(self) -> Stream[str]:
        if self.task.exact:
            self._stamp("first_token")
            yield self.task.exact
            return
        reply = self._cast.t2t.reply(self.task.messages, self._cast.tools)
        deadline = self._loop.time() + LONGEST_WRITING * self._longest_s
        left = round(self._longest_s * MOST_CHARACTERS_PER_SECOND)
        async with aclosing(reply):
            async for piece in reply:
                self._stamp("first_token")
                yield piece
                left -= len(piece)
                if left < 0 or self._loop.time() > deadline:
                    log.warning("reply cut: it has no end", extra={"turn": self.number})
                    return

    async def _speak(self, clause: Clause) -> None:
        line = Line(clause, len(self.script), offset=self.playout.fed_s)
        self.script.append(line)
        if clause.text:
            await self._voice(line)
        line.is_complete = True
        if not line.seconds:
            await self.playout.put(line, _SILENCE)  # it may still hold cues

    async def _voice(self, line: Line) -> None:
        """Speak a line; when the voice breaks, go on from the last whole word with the next one."""
        at = 0
        for left in reversed(range(VOICE_TRIES)):
            try:
                await self._pass_on(line, at)
            except TTSError:
                words = line.heard(line.seconds)
                if words == len(line.words):
                    return
                if not left:
                    raise
                log.warning("voice broke, goes on", extra={"turn": self.number}, exc_info=True)
                at = line.words[words].start()
            else:
                return

    async def _pass_on(self, line: Line, at: int) -> None:
        """Put the sound of the line's text from character `at` on into what follows."""
        start = line.seconds
        filtered = self._cast.audio_filter.apply(self._cast.tts.speak(line.clause.text[at:]))
        async with aclosing(reframe(filtered)) as frames:
            async for frame in frames:
                self._stamp("first_audio")
                if start or at:
                    marks = tuple(
                        replace(mark, start=mark.start + start, at=mark.at + at)
                        for mark in frame.marks
                    )
                    frame = replace(frame, marks=marks)
                if not np.isfinite(frame.samples).all():
                    raise TTSError(
                        "the voice gave numbers that are no sound",
                        provider="tts",
                        is_retryable=False,
                    )
                for mark in frame.marks:
                    line.note(mark)
                line.seconds += frame.seconds
                await self.playout.put(line, frame)
                if self._is_too_long:
                    return
        if not line.seconds and any(map(str.isalnum, line.clause.text)):
            raise TTSError("the voice gave no sound", provider="tts", is_retryable=True)

    @property
    def _is_too_long(self) -> bool:
        return self.playout.fed_s > self._longest_s

    def _stamp(self, name: str) -> None:
        self.stamps.setdefault(name, self._loop.time())
