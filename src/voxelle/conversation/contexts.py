"""What she should know besides what was said: a game's state, a note by the operator."""

from __future__ import annotations

from typing import Literal, TypeAlias

from voxelle.prompter.situation import Context

Scope: TypeAlias = Literal["request", "conversation"]
"""How long a context is known: for the next answer only, or until it is dropped."""

MOST = 32
"""Contexts a room keeps; the one set longest ago makes room. A prompt holds fewer anyway."""


class Contexts:
    """The contexts of one room, by id; setting an id again replaces its text."""

    def __init__(self) -> None:
        self._contexts: dict[str, tuple[Context, Scope]] = {}

    @property
    def all(self) -> tuple[Context, ...]:
        """Everything known now, what was set last is last."""
        return tuple(context for context, _ in self._contexts.values())

    def set(self, context: Context, scope: Scope) -> None:
        """Know a context from now on."""
        self._contexts.pop(context.id, None)
        self._contexts[context.id] = (context, scope)
        if len(self._contexts) > MOST:
            del self._contexts[next(iter(self._contexts))]

    def drop(self, context_id: str) -> None:
        """Forget a context; one that is not there is no fault."""
        self._contexts.pop(context_id, None)

    def spend(self) -> None:
        """Forget what was meant for one answer, because that answer has begun."""
        self._contexts = {
            key: entry for key, entry in self._contexts.items() if entry[1] != "request"
        }
