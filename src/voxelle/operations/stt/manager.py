"""The ear in use."""

from __future__ import annotations

from contextlib import aclosing

from voxelle.audio import AudioFrame
from voxelle.operations.base import STT, Transcript
from voxelle.operations.items import approved, fault_in_transcript
from voxelle.operations.manager import OperationManager
from voxelle.operations.registry import Registry
from voxelle.operations.replay import replayable
from voxelle.operations.stt.utterance import checked
from voxelle.streams import Stream
from voxelle.utils.exceptions import STTError


class STTManager(OperationManager[STT]):
    """Writes down what is said, with whichever ear is in use."""

    registry = Registry(
        "stt",
        {
            "faster_whisper": "voxelle.operations.stt.faster_whisper:FasterWhisperSTT",
            "openai": "voxelle.operations.stt.openai:OpenAISTT",
            "pocketsphinx": "voxelle.operations.stt.pocketsphinx:PocketsphinxSTT",
            "scripted": "voxelle.operations.stt.scripted:ScriptedSTT",
        },
        {"faster_whisper": "local", "pocketsphinx": "pocketsphinx"},
    )
    error = STTError

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        """Give ever better transcripts; the last one, and only it, is final.

        A partial transcript that says nothing new is left out.
        A failing ear raises `STTError`; until it has given something, the next one hears the
        utterance from its beginning. Sound that is no finite 16 kHz mono raises
        `ValidationError`. To close this stream is to close `utterance`.
        """
        async with (
            replayable(checked(utterance)) as replay,
            aclosing(
                self.attempt(
                    lambda ear: approved(ear.transcribe(replay.again()), fault_in_transcript),
                    replay,
                )
            ) as transcripts,
        ):
            told = ""
            async for transcript in transcripts:
                if transcript.is_final or transcript.text != told:
                    told = transcript.text
                    yield transcript
