"""What a turn is told to do: an impulse and a history become a task."""

from __future__ import annotations

from collections.abc import Iterable

from voxelle.conversation.cast import Cast
from voxelle.conversation.director import Impulse, add_up
from voxelle.conversation.history import History
from voxelle.conversation.turn import Task
from voxelle.conversation.utterance import Utterance
from voxelle.events import Member
from voxelle.prompter.situation import Context, Situation


def brief(
    impulse: Impulse,
    cast: Cast,
    history: History,
    members: Iterable[Member],
    contexts: Iterable[Context],
) -> Task:
    """Compose the prompt for an impulse; what is to be answered stands last in it."""
    whom = {remark.member for remark in impulse.remarks}
    only = next(iter(whom)) if len(whom) == 1 else None
    task = Task(
        impulse.source,
        exact=impulse.exact,
        to=only.name if only else "",
        answered_s=_stamps(impulse.utterance),
    )
    if not impulse.exact:
        situation = Situation(
            remarks=(*history.without(impulse.remarks), *add_up(impulse.remarks)),
            now=cast.wall_clock(),
            members=tuple(members),
            contexts=tuple(contexts),
        )
        task.messages = cast.prompter.compose(situation).messages
    return task


def _stamps(utterance: Utterance | None) -> dict[str, float]:
    if utterance is None:
        return {}
    return {
        "speech_end": utterance.voice_ended_at,
        "turn_end": utterance.ended_at or utterance.voice_ended_at,
        "transcript": utterance.understood_at,
    }
