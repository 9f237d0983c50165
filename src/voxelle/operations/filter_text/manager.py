"""The chain of changes between the mind and the voice."""

from __future__ import annotations

from voxelle.operations.base import TextFilter
from voxelle.operations.chain import ChainManager
from voxelle.operations.registry import Registry
from voxelle.streams import Stream
from voxelle.utils.exceptions import OperationError

_HERE = "voxelle.operations.filter_text"

REGISTRY = Registry(
    "filter_text",
    {"clean": f"{_HERE}.clean:Clean", "safety": f"{_HERE}.safety:SafetyFilter"},
    {},
)


class TextFilterManager(ChainManager[TextFilter]):
    """Applies every filter of the chain, in order; it has the face of one filter.

    A filter that fails ends the reply: what was not filtered is never spoken.
    """

    registry = REGISTRY
    error = OperationError

    def apply(self, text: Stream[str]) -> Stream[str]:
        """Give one reply as the whole chain makes it.

        What `text` raises ends the reply, and so does a filter that fails, with an
        `OperationError`. To close this stream is to close every filter's stream and `text`.
        """
        return self.through(text, lambda filter_, pieces: filter_.apply(pieces))
