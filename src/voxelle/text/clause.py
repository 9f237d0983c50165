"""What the voice is handed: one clause, and the expressions that belong to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cue:
    """An expression tag that stood in the reply."""

    expression: str

    at: int
    """Index of the character of the clause's text before which it stood."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of a reply that the voice can read in one breath."""

    text: str
    """Ready to be spoken and shown: no tags, no markup, no surrounding white space.

    May be empty when tags stand alone at the end of a reply.
    """

    cues: tuple[Cue, ...] = ()
