"""A place where people and the character talk: one floor, one history, one director."""

from __future__ import annotations

import asyncio

from voxelle.audio import AudioFrame
from voxelle.conversation.audience import Audience, Listener
from voxelle.conversation.barge_in import BargeIn
from voxelle.conversation.briefing import brief
from voxelle.conversation.bulletin import Bulletin
from voxelle.conversation.cast import Cast
from voxelle.conversation.clock import OutputClock
from voxelle.conversation.contexts import Contexts
from voxelle.conversation.director import Director, Impulse
from voxelle.conversation.floor import Floor
from voxelle.conversation.hearing import Hearing
from voxelle.conversation.history import History
from voxelle.conversation.idle import Idle
from voxelle.conversation.members import Members
from voxelle.conversation.settings import ConversationSettings
from voxelle.conversation.speculation import Speculation
from voxelle.conversation.turn import Task, Turn
from voxelle.conversation.utterance import Utterance
from voxelle.events import (
    LatencyMeasured,
    Member,
    PlaybackReported,
    SetContext,
    SpeechEnded,
    SpeechStarted,
    State,
    StateChanged,
    StreamEventReceived,
    TextShown,
    TurnEnded,
    TurnStarted,
)
from voxelle.prompter.situation import Context, Remark, event_facts
from voxelle.utils.exceptions import OperationError


class Room:
    """Everything here is called in the event loop, returns at once, and never raises for her sake.

    `Rooms` makes rooms and closes them.
    """

    def __init__(
        self, name: str, cast: Cast, settings: ConversationSettings, clock: OutputClock
    ) -> None:
        self.name = name
        self.history = History(settings.history)
        self._contexts = Contexts()
        self.is_silenced = False
        self._cast = cast
        self._settings = settings
        self._audience = Audience()
        self._bulletin = Bulletin(name, self._audience)
        self._members = Members(name, settings.most_members)
        self._director = Director(settings.director)
        self._barge_in = BargeIn(settings.barge_in)
        self._hearing = Hearing(cast, settings, self)
        self._floor = Floor(lambda: self._cast, settings, self._audience, clock, self)
        self._speculation = Speculation(self._floor, settings)
        self._answered: Impulse | None = None
        """What the turn that has the floor is about."""
        self._idle = Idle(settings.director.idle_s, self._speak_by_herself)
        self._loop = asyncio.get_running_loop()

    @property
    def character(self) -> str:
        """The name of the character who is here."""
        return self._cast.prompter.character.name

    @property
    def members(self) -> tuple[Member, ...]:
        """Everybody known here; who came or changed last is last."""
        return self._members.all

    @property
    def state(self) -> StateChanged:
        """What she is doing now."""
        return self._bulletin.state

    def recast(self, cast: Cast) -> None:
        """Let somebody else perform, from the next turn and the next utterance on."""
        self._cast = cast
        self._hearing.recast(cast)
        self._speculation.discard()

    def resettle(self, settings: ConversationSettings) -> None:
        """Follow other settings; what is under way ends as it began."""
        self._settings = settings
        self.history.resize(settings.history)
        self._members.resize(settings.most_members)
        self._director.settings = settings.director
        self._barge_in = BargeIn(settings.barge_in)
        self._hearing.resettle(settings)
        self._floor.resettle(settings)
        self._speculation.resettle(settings)
        self._idle.resettle(settings.director.idle_s)
        self._consider()

    def refresh(self) -> None:
        """Tell what is to be said about who performs, if that has changed."""
        self._update_state()

    async def close(self) -> None:
        """Fall silent, stop listening, and return when every task has ended."""
        self.is_silenced = True
        self._idle.stop()
        self._director.clear()
        await self._hearing.close()
        await self._floor.close()

    # --- who is here ---

    def attach(self, listener: Listener) -> None:
        """Let somebody listen from now on; tell them what she is doing."""
        self._update_state()
        self._audience.attach(listener)
        listener.take(self.state)
        self._consider()

    def detach(self, listener: Listener) -> None:
        """Let a listener go; asking twice does no harm."""
        self._audience.detach(listener)
        if self._floor.turn is not None:
            self._floor.turn.playout.forget(listener)

    def report(self, listener: Listener, report: PlaybackReported) -> None:
        """Take note of how far a listener has played her voice."""
        if self._floor.turn is not None:
            self._floor.turn.playout.report(listener, report)

    def enter(self, member: Member) -> None:
        """Know a member, or their new name and roles."""
        if forgotten := self._members.enter(member):
            self._hearing.forget(forgotten.key)

    def leave(self, key: tuple[str, str]) -> None:
        """Forget a member; what they were saying ends here."""
        self._members.leave(key)
        self._hearing.forget(key)

    # --- what happens here ---

    def hear(self, key: tuple[str, str], frame: AudioFrame) -> None:
        """Take a member's sound, 16 kHz; raise `ValidationError` for an unknown member or rate."""
        self._hearing.hear(self._members.known(key), frame)

    def end_utterance(self, key: tuple[str, str]) -> None:
        """Let what a member says be complete now, without waiting for silence."""
        self._hearing.finish(key)

    def read(self, member: Member, text: str) -> None:
        """Take a message that somebody wrote."""
        self._members.mention(member)
        self._audience.tell(TextShown(member=member, text=text))
        remark = Remark("wrote", text, self._cast.wall_clock(), member)
        self.history.add(remark)
        self._idle.wake()
        if self._settings.director.answers_text:
            self._offer(Impulse("chat", self._loop.time(), (remark,), member.key))

    def happen(self, event: StreamEventReceived) -> None:
        """Take something that happened on the stream."""
        if event.member is not None:
            self._members.mention(event.member)
        remark = Remark(
            "event", event.text, self._cast.wall_clock(), event.member, facts=event_facts(event)
        )
        self.history.add(remark)
        self._idle.wake()
        self._offer(Impulse("event", self._loop.time(), (remark,), (event.event,)))

    def say(self, text: str) -> None:
        """Let her say these very words as soon as nobody speaks."""
        self._offer(Impulse("direction", self._loop.time(), exact=text))

    def direct(self, text: str) -> None:
        """Give her a stage direction; she finds the words."""
        remark = Remark("direction", text, self._cast.wall_clock())
        self._offer(Impulse("direction", self._loop.time(), (remark,)))

    def inform(self, context: SetContext) -> None:
        """Let her know something besides what is said here."""
        known = Context(context.id, context.name, context.description, context.text)
        self._contexts.set(known, context.scope)

    def drop_context(self, context_id: str) -> None:
        """Let her forget that again; an id that is not there is no fault."""
        self._contexts.drop(context_id)

    def stop(self) -> None:
        """End her reply now; what was heard of it stays in the history."""
        self._answered = None
        self._floor.stop("interrupted")
        self._update_state()

    def silence(self) -> None:
        """Silence her until `release()`; she still hears, and takes note of everything."""
        self.is_silenced = True
        self._director.clear()
        self._speculation.discard()
        self._floor.stop("silenced")
        self._idle.stop()
        self._update_state()

    def release(self) -> None:
        """End the silence; nothing that waited during it is answered late."""
        self.is_silenced = False
        self._consider()
        self._update_state()

    # --- what the ears tell ---

    def speech_started(self, utterance: Utterance) -> None:
        """Note that somebody began to speak: a reply that is not out yet has to wait."""
        self._audience.tell(SpeechStarted(member=utterance.member))
        self._idle.wake()
        self._speculation.discard()
        turn = self._floor.turn
        if turn is not None and self._may_interrupt(utterance.member):
            utterance.overlaps = turn.number
            turn.playout.hold()
        self._update_state()

    def speech_goes_on(self, utterance: Utterance) -> None:
        """Judge whether somebody who speaks while she does means to interrupt."""
        self._bulletin.tell_transcript(utterance)
        if (turn := self._overlapped(utterance)) is None:
            return
        platform = utterance.member.platform
        verdict = self._barge_in.judge(platform, utterance.speech_s, utterance.partial)
        if verdict == "stop":
            self._interrupt(turn)
        elif verdict == "duck":
            turn.playout.duck(self._settings.barge_in.duck_db)

    def speech_paused(self, utterance: Utterance) -> None:
        """Begin a reply on speculation, if nothing speaks against it."""
        if self._may_answer() and not self._director.waiting:
            others = [one for one in self._hearing.speakers if one != utterance.member]
            if not others and not self._cast.is_paid() and not self._cast.tools:
                self._speculation.begin(utterance, self._voice_task)

    def speech_resumed(self, utterance: Utterance) -> None:
        """Throw a speculation away: there is more to come."""
        self._speculation.discard(utterance)

    def speech_ended(self, utterance: Utterance) -> None:
        """Tell that somebody has finished."""
        self._audience.tell(SpeechEnded(member=utterance.member, seconds=utterance.speech_s))
        if utterance.is_final:  # the ear has failed meanwhile: no words will follow
            if turn := self._overlapped(utterance):
                self._go_on(turn)
            self._consider()
        self._update_state()

    def speech_understood(self, utterance: Utterance, failure: OperationError | None) -> None:
        """Take what was said into the conversation, and decide what it means for her turn."""
        utterance.understood_at = self._loop.time()
        if failure is not None:
            self._bulletin.tell_failure("stt_failed", failure)
        words = utterance.partial.strip()
        overlapped = self._overlapped(utterance)
        if words:
            self._bulletin.tell_transcript(utterance)
            self._take_words(utterance, words, overlapped)
        if overlapped is not None:
            self._go_on(overlapped)
        if not words:
            self._speculation.discard(utterance)
        self._consider()
        self._update_state()

    # --- what the floor tells ---

    def turn_sounds(self, turn: Turn) -> None:
        """Tell that she can be heard, and how long that took."""
        self._audience.tell(LatencyMeasured(turn=turn.number, stages=turn.latency()))
        self._update_state()

    def turn_ended(self, turn: Turn, end: TurnEnded) -> None:
        """Remember what was heard, and go on with what waits."""
        impulse, self._answered = self._answered, None
        if end.heard:
            words = Remark("said", end.heard, self._cast.wall_clock(), is_own=True)
            self.history.add(words)
        self._audience.tell(end)
        if end.reason == "failed":
            self._bulletin.tell_failure("turn_failed", end.detail)
        # Nobody heard a word of the answer: the question still stands.
        if impulse and turn.is_unheard and end.reason == "interrupted" and not self.is_silenced:
            self._director.offer(impulse)
        self._consider()
        self._update_state()

    # --- how she decides ---

    def _offer(self, impulse: Impulse) -> None:
        if not self.is_silenced:
            self._director.offer(impulse)
            self._consider()

    def _may_answer(self) -> bool:
        return not self.is_silenced and self._floor.turn is None

    def _consider(self) -> None:
        """Answer what waits, unless somebody speaks or their words are not understood yet."""
        if not self._may_answer() or self._has_somebody_the_word():
            return
        impulse = self._director.choose(self._loop.time())
        if impulse is None:
            if self._audience.players:
                self._idle.arm()
            return
        self._idle.stop()
        self._answer(impulse)

    def _answer(self, impulse: Impulse) -> None:
        is_prepared = self._speculation.fits(impulse)
        turn = self._floor.begin(self._task(impulse), prepared=is_prepared)
        self._speculation.discard()
        self._contexts.spend()
        self._answered = impulse
        to = turn.task.to
        self._audience.tell(TurnStarted(turn=turn.number, source=impulse.source, to=to))
        self._update_state()
        turn.commit()

    def _task(self, impulse: Impulse) -> Task:
        return brief(impulse, self._cast, self.history, self.members, self._contexts.all)

    def _voice_task(self, utterance: Utterance) -> Task:
        remark = Remark("said", utterance.partial, self._cast.wall_clock(), utterance.member)
        return self._task(Impulse("voice", self._loop.time(), (remark,), utterance=utterance))

    def _speak_by_herself(self) -> None:
        remark = Remark("idle", "", self._cast.wall_clock())
        self._offer(Impulse("idle", self._loop.time(), (remark,)))

    # --- how she is interrupted ---

    def _overlapped(self, utterance: Utterance) -> Turn | None:
        """Give the turn during which it began, if that still has the floor."""
        turn = self._floor.turn
        return turn if turn is not None and turn.number == utterance.overlaps else None

    def _may_interrupt(self, member: Member) -> bool:
        return self._barge_in.policy(member.platform) != "ignore"

    def _has_somebody_the_word(self) -> bool:
        """Tell whether somebody speaks, or said something that is not understood yet."""
        members = [utterance.member for utterance in self._hearing.pending]
        return any(map(self._may_interrupt, (*members, *self._hearing.speakers)))

    def _interrupt(self, turn: Turn) -> None:
        if turn is self._floor.turn:
            self._floor.stop("interrupted")
            self._update_state()

    def _take_words(self, utterance: Utterance, words: str, overlapped: Turn | None) -> None:
        remark = Remark("said", words, self._cast.wall_clock(), utterance.member)
        self.history.add(remark)
        if overlapped is not None and not overlapped.playout.is_stopped:
            if self._barge_in.is_back_channel(words):
                return
            if self._barge_in.policy(utterance.member.platform) == "stop":
                self._interrupt(overlapped)
        if not self.is_silenced:
            now = self._loop.time()
            self._director.offer(Impulse("voice", now, (remark,), ("voice",), utterance))

    def _go_on(self, turn: Turn) -> None:
        """Let her be heard again after a noise or a back-channel, unless others still speak."""
        if not turn.playout.is_stopped and not self._has_somebody_the_word():
            turn.playout.unduck()
            turn.playout.open()

    # --- what she is doing ---

    def _update_state(self) -> None:
        turn = self._floor.turn
        number = turn.number if turn else 0
        self._bulletin.tell_state(self._what(), number, self._cast.remark())

    def _what(self) -> State:
        if self.is_silenced:
            return "silenced"
        if self._floor.is_audible:
            return "speaking"
        if self._hearing.speakers:
            return "listening"
        turn = self._floor.turn
        if turn is not None and not turn.playout.is_stopped:
            return "thinking"
        return "thinking" if self._hearing.pending else "idle"
