"""What was said in a room, as it was heard."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from voxelle.prompter.situation import Remark


class History:
    """The last remarks of a room, oldest first. Her own ones hold only what was heard."""

    def __init__(self, most: int) -> None:
        self._remarks: deque[Remark] = deque(maxlen=most)

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """Everything that is remembered."""
        return tuple(self._remarks)

    def add(self, remark: Remark) -> None:
        """Remember a remark; the oldest one makes room."""
        self._remarks.append(remark)

    def without(self, answered: Sequence[Remark]) -> tuple[Remark, ...]:
        """Give everything remembered but these very remarks, which will be shown last."""
        left_out = {id(remark) for remark in answered}
        return tuple(remark for remark in self._remarks if id(remark) not in left_out)

    def resize(self, most: int) -> None:
        """Remember that many remarks from now on; the oldest are forgotten if they are more."""
        self._remarks = deque(self._remarks, maxlen=most)

    def clear(self) -> None:
        """Forget everything."""
        self._remarks.clear()
