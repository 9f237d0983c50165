"""Who gets to know what happens in a room."""

from __future__ import annotations

from typing import Protocol

from voxelle.events import Notice


class Listener(Protocol):
    """Somebody who is told: a socket, a recorder, a list in a test."""

    plays_audio: bool
    """Whether it plays her voice to people; then it should report its playback."""

    def take(self, notice: Notice) -> None:
        """Take one notice at once; must neither block nor raise."""
        ...


class Audience:
    """The listeners of one room."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    @property
    def players(self) -> list[Listener]:
        """Those who play her voice."""
        return [listener for listener in self._listeners if listener.plays_audio]

    @property
    def is_empty(self) -> bool:
        """Whether nobody listens."""
        return not self._listeners

    def attach(self, listener: Listener) -> None:
        """Let somebody listen from now on."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def detach(self, listener: Listener) -> None:
        """Let somebody go; asking twice does no harm."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def tell(self, notice: Notice) -> None:
        """Tell everybody; the same object goes to all of them."""
        for listener in tuple(self._listeners):
            listener.take(notice)

    def play(self, notice: Notice) -> None:
        """Tell those who play her voice."""
        for listener in tuple(self._listeners):
            if listener.plays_audio:
                listener.take(notice)
