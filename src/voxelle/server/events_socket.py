"""`/ws/events`: a reader of what goes on in a room, by topic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from voxelle.events import (
    CaptionSpoken,
    Direct,
    DropContext,
    ErrorReported,
    ExpressionChanged,
    LatencyMeasured,
    Notice,
    PhonemesSpoken,
    Release,
    Request,
    Say,
    SetContext,
    Silence,
    SpeechEnded,
    SpeechStarted,
    StateChanged,
    StopSpeaking,
    Subscribe,
    TextShown,
    TranscriptUpdated,
    TurnEnded,
    TurnStarted,
    VoiceStopped,
)
from voxelle.server.hub import Hub, Room
from voxelle.server.session import Mistake, Session
from voxelle.server.wire import Wire

TOPICS: Mapping[str, frozenset[type[Notice]]] = {
    "conversation": frozenset(
        {
            SpeechStarted,
            SpeechEnded,
            TranscriptUpdated,
            TextShown,
            TurnStarted,
            CaptionSpoken,
            PhonemesSpoken,
            ExpressionChanged,
            TurnEnded,
        }
    ),
    "state": frozenset({StateChanged, VoiceStopped, ErrorReported}),
    "metrics": frozenset({LatencyMeasured}),
    "commands": frozenset(),  # allows to send them; nothing comes back but the state
}
"""What is told under each topic."""

_COMMANDS: Mapping[type[Request], Callable[[Room, Any], None]] = {
    StopSpeaking: lambda room, _request: room.stop(),
    Silence: lambda room, _request: room.silence(),
    Release: lambda room, _request: room.release(),
    Say: lambda room, request: room.say(request.text),
    Direct: lambda room, request: room.direct(request.text),
    SetContext: lambda room, request: room.inform(request),
    DropContext: lambda room, request: room.drop_context(request.id),
}


class EventsSession(Session):
    """One reader; it follows one room at a time, and a new `Subscribe` replaces the old one."""

    first = "subscribe"

    def __init__(self, wire: Wire, hub: Hub) -> None:
        super().__init__(wire, hub)
        self._topics: frozenset[str] = frozenset()
        self._wanted: frozenset[type[Notice]] = frozenset()

    def handle(self, request: Request, now: float) -> None:
        """Subscribe, or command if the topic `commands` is subscribed to."""
        if request.payload:
            raise Mistake("unexpected_payload", "this socket takes JSON only; use /ws/voice")
        if isinstance(request, Subscribe):
            self._subscribe(request)
            return
        command = _COMMANDS.get(type(request))
        if command is None:
            raise Mistake("wrong_socket", f"{request.type} belongs on /ws/voice")
        if self.desk is None or "commands" not in self._topics:
            raise Mistake("not_subscribed", "subscribe to the topic 'commands' to send commands")
        command(self.desk.room, request)

    def take(self, notice: Notice) -> None:
        """Pass a notice on if its topic was asked for."""
        if type(notice) in self._wanted:
            super().take(notice)

    def _subscribe(self, request: Subscribe) -> None:
        desk = self.find(request.room)
        self._topics = request.topics
        kinds = [TOPICS[topic] for topic in request.topics]
        self._wanted = frozenset[type[Notice]]().union(*kinds)
        self.join(desk)
