"""The chain of effects between the voice and the audience."""

from __future__ import annotations

from voxelle.audio import AudioFrame
from voxelle.operations.base import AudioFilter
from voxelle.operations.chain import ChainManager
from voxelle.operations.filter_audio.bypass import with_bypass
from voxelle.operations.registry import Registry
from voxelle.streams import Stream
from voxelle.utils.exceptions import AudioFilterError

_HERE = "voxelle.operations.filter_audio"

REGISTRY = Registry(
    "filter_audio",
    {
        "resample": f"{_HERE}.resample:Resample",
        "highpass": f"{_HERE}.highpass:HighPass",
        "gain": f"{_HERE}.gain:Gain",
        "loudness": f"{_HERE}.loudness:Loudness",
        "limiter": f"{_HERE}.limiter:Limiter",
        "pitch": f"{_HERE}.pitch:Pitch",
    },
    {},
)


class AudioFilterManager(ChainManager[AudioFilter]):
    """Applies every filter of the chain, in order; it has the face of one filter.

    A filter that fails in the middle of a line is left out for the rest of that line, with a log
    entry: a voice without its effect is better than none. The next line tries it again.
    """

    registry = REGISTRY
    error = AudioFilterError

    def apply(self, audio: Stream[AudioFrame]) -> Stream[AudioFrame]:
        """Give the sound of one line as the whole chain makes it.

        What `audio` raises ends the line. Raises `AudioFilterError` if a filter failed after it
        had begun to change the rate, because the line cannot go on without it. To close this
        stream is to close every filter's stream and `audio`.
        """
        return self.through(audio, with_bypass)
