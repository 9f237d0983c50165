"""What the listeners of a room are told, apart from her voice."""

from __future__ import annotations

import logging
from uuid import uuid4

from voxelle.conversation.audience import Audience
from voxelle.conversation.utterance import Utterance
from voxelle.events import ErrorReported, State, StateChanged, TranscriptUpdated
from voxelle.utils.exceptions import OperationError

log = logging.getLogger(__name__)


class Bulletin:
    """Tells states once, transcripts as they grow, and failures with a reference to the log."""

    def __init__(self, room: str, audience: Audience) -> None:
        self.state = StateChanged(state="idle")
        """What was told last."""
        self._room = room
        self._audience = audience

    def tell_state(self, state: State, turn: int, detail: str) -> None:
        """Tell what she is doing, if that is news."""
        changed = StateChanged(state=state, turn=turn, detail=detail)
        if changed != self.state:
            self.state = changed
            self._audience.tell(changed)

    def tell_transcript(self, utterance: Utterance) -> None:
        """Tell what was understood of an utterance so far."""
        text = utterance.partial.strip()
        if utterance.is_final or text != utterance.told:
            utterance.told = text
            self._audience.tell(
                TranscriptUpdated(member=utterance.member, text=text, is_final=utterance.is_final)
            )

    def tell_failure(self, code: str, failure: OperationError | str) -> None:
        """Tell what went wrong, and write it into the log under the same reference."""
        reference = uuid4().hex[:8]
        log.error("%s", failure, extra={"room": self._room, "reference": reference, "code": code})
        self._audience.tell(ErrorReported(code=code, message=str(failure), reference=reference))
