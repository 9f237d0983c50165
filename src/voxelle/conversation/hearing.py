"""The ears of one room: who speaks now, and what they have said."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import Protocol

from voxelle.audio import AudioFrame
from voxelle.conversation.cast import Cast
from voxelle.conversation.ear import Ear
from voxelle.conversation.segmenter import Change
from voxelle.conversation.settings import ConversationSettings
from voxelle.conversation.utterance import Utterance
from voxelle.events import Member
from voxelle.utils.exceptions import OperationError, STTError

UNDERSTAND_S = 15.0
"""Seconds after the end of an utterance in which its words must be known; then it is given up."""


CLOSE_S = 2.0
"""Seconds that an ear has to close its stream when the room closes."""

log = logging.getLogger(__name__)


class HearingListener(Protocol):
    """Who wants to know what is heard."""

    def speech_started(self, utterance: Utterance) -> None:
        """Take note that somebody began to speak."""
        ...

    def speech_goes_on(self, utterance: Utterance) -> None:
        """Take note of more speech, or of more words in it."""
        ...

    def speech_paused(self, utterance: Utterance) -> None:
        """Take note of a silence that may be the end, or of new words within it."""
        ...

    def speech_resumed(self, utterance: Utterance) -> None:
        """Take note that the silence was not the end."""
        ...

    def speech_ended(self, utterance: Utterance) -> None:
        """Take note that somebody has finished; the final words follow."""
        ...

    def speech_understood(self, utterance: Utterance, failure: OperationError | None) -> None:
        """Take note of the final words; after a failure, of those understood before it."""
        ...


class Hearing:
    """Gives every member who makes sound an ear, and every utterance to the STT."""

    def __init__(
        self, cast: Cast, settings: ConversationSettings, listener: HearingListener
    ) -> None:
        self._cast = cast
        self._settings = settings
        self._listener = listener
        self._ears: dict[tuple[str, str], Ear] = {}
        self._tasks: dict[Utterance, asyncio.Task[None]] = {}
        self._timers: dict[Utterance, asyncio.TimerHandle] = {}
        self._given_up: set[asyncio.Task[None]] = set()

    @property
    def speakers(self) -> list[Member]:
        """Those who are speaking, or pausing within an utterance."""
        return [ear.member for ear in self._ears.values() if ear.is_speech]

    @property
    def pending(self) -> list[Utterance]:
        """What is being said, or was said but is not understood yet."""
        return list(self._tasks)

    def recast(self, cast: Cast) -> None:
        """Use another cast from the next utterance on."""
        self._cast = cast

    def resettle(self, settings: ConversationSettings) -> None:
        """Follow other settings from now on."""
        self._settings = settings
        for ear in self._ears.values():
            ear.endpointing.resettle(settings.endpointing)

    def hear(self, member: Member, frame: AudioFrame) -> None:
        """Take a member's sound; raise `ValidationError` if it is none."""
        ear = self._ears.pop(member.key, None)
        if ear is None:
            self._make_room()
            ear = Ear(member, self._cast.vad, self._settings.endpointing, self)
        self._ears[member.key] = ear  # the last one is the one heard last
        ear.member = member
        ear.hear(frame)

    def finish(self, key: tuple[str, str]) -> None:
        """End what a member says, because they say that it is complete."""
        if ear := self._ears.get(key):
            ear.finish()

    def forget(self, key: tuple[str, str]) -> None:
        """Take a member's ear away; what they were saying ends here."""
        if ear := self._ears.pop(key, None):
            ear.close()

    async def close(self) -> None:
        """Stop listening, and return when every task has ended."""
        for key in tuple(self._ears):
            self.forget(key)
        for timer in self._timers.values():
            timer.cancel()
        tasks = [*self._tasks.values(), *self._given_up]
        self._tasks.clear()
        self._timers.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_S)

    # --- what an ear tells ---

    def speech_changed(self, ear: Ear, change: Change) -> None:
        """Pass on what an ear noticed."""
        utterance = ear.utterance
        if utterance is None:
            return
        match change:
            case Change.STARTED:
                task = asyncio.create_task(self._understand(utterance), name="transcription")
                self._tasks[utterance] = task  # owned until close()
                self._listener.speech_started(utterance)
            case Change.PAUSED:
                utterance.is_paused = True
                self._listener.speech_paused(utterance)
            case Change.RESUMED:
                utterance.is_paused = False
                self._listener.speech_resumed(utterance)
            case Change.ENDED | Change.CUT:
                self._watch(utterance)
                self._listener.speech_ended(utterance)

    def speech_goes_on(self, ear: Ear) -> None:
        """Pass on that somebody goes on speaking."""
        if ear.utterance is not None:
            self._listener.speech_goes_on(ear.utterance)

    def _make_room(self) -> None:
        if len(self._ears) < self._settings.most_ears:
            return
        quiet = [key for key, ear in self._ears.items() if not ear.is_speech]
        # Those heard longest ago stand first; if everybody speaks, somebody has to give way.
        self.forget(quiet[0] if quiet else next(iter(self._ears)))

    async def _understand(self, utterance: Utterance) -> None:
        failure: OperationError | None = None
        try:
            await self._transcribe(utterance)
        except OperationError as error:
            failure = error
        except Exception as error:  # the outermost edge of hearing: the room must go on
            log.exception("an ear failed in a way that it should not")
            failure = STTError(
                f"the ear failed: {str(error) or type(error).__name__}",
                provider="stt",
                is_retryable=False,
            )
        self._settle(utterance, failure)

    def _watch(self, utterance: Utterance) -> None:
        """See to it that the words of an utterance that has ended are not waited for for ever."""
        if utterance in self._tasks:
            loop = asyncio.get_running_loop()
            self._timers[utterance] = loop.call_later(UNDERSTAND_S, self._give_up, utterance)

    def _give_up(self, utterance: Utterance) -> None:
        task = self._tasks[utterance]
        task.cancel()
        # An ear that hangs even while it is closed must not hold up the room: close() waits for it.
        self._given_up.add(task)
        task.add_done_callback(self._given_up.discard)
        sentence = f"the words of {utterance.member.name} took over {UNDERSTAND_S:.0f} s"
        self._settle(utterance, STTError(sentence, provider="stt", is_retryable=True))

    def _settle(self, utterance: Utterance, failure: OperationError | None) -> None:
        if self._tasks.pop(utterance, None) is None:
            return
        if timer := self._timers.pop(utterance, None):
            timer.cancel()
        utterance.is_final = True
        utterance.forget_sound()
        self._listener.speech_understood(utterance, failure)

    async def _transcribe(self, utterance: Utterance) -> None:
        async with aclosing(self._cast.stt.transcribe(utterance.frames())) as transcripts:
            async for transcript in transcripts:
                if transcript.text != utterance.partial:
                    utterance.partial = transcript.text
                    if not transcript.is_final:
                        self._tell_words(utterance)

    def _tell_words(self, utterance: Utterance) -> None:
        if utterance.is_paused and not utterance.is_ended:
            self._listener.speech_paused(utterance)
        self._listener.speech_goes_on(utterance)
