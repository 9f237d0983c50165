"""The voice in use."""

from __future__ import annotations

from voxelle.audio import AudioFrame
from voxelle.operations.base import TTS
from voxelle.operations.items import approved, fault_in_sound
from voxelle.operations.manager import OperationManager
from voxelle.operations.registry import Registry
from voxelle.operations.tts.lines import plain
from voxelle.streams import Stream
from voxelle.utils.exceptions import TTSError


class TTSManager(OperationManager[TTS]):
    """Speaks with whichever voice is in use."""

    registry = Registry(
        "tts",
        {
            "espeak": "voxelle.operations.tts.espeak:EspeakTTS",
            "openai": "voxelle.operations.tts.openai:OpenAITTS",
            "tone": "voxelle.operations.tts.tone:ToneTTS",
        },
        {"espeak": "espeak"},
    )
    error = TTSError

    def speak(self, line: str) -> Stream[AudioFrame]:
        """Read one line aloud; a failing voice raises `TTSError`.

        Characters that nobody can read are blanks to the voice. `OperationManager.attempt` says
        when another voice is asked instead.
        """
        text = plain(line)
        return self.attempt(lambda voice: approved(voice.speak(text), fault_in_sound))
