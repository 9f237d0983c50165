"""`voxelle say`: a text, spoken into a file."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

from voxelle.audio import AudioFrame, reframe
from voxelle.cli.recordings import check_target, write_sound
from voxelle.cli.session import Session, session
from voxelle.cli.standing_in import stood_in, who_answered
from voxelle.config import Config
from voxelle.operations.filter_audio.manager import AudioFilterManager
from voxelle.operations.filter_text.manager import TextFilterManager
from voxelle.operations.tts.manager import TTSManager
from voxelle.streams import Stream
from voxelle.text import clauses
from voxelle.utils.exceptions import ValidationError
from voxelle.utils.validators import string

MAX_CHARS = 20_000
"""Characters of a text at most: about twenty minutes of speech."""


def say(text: str, out: Path, name: str, *, is_json: bool) -> None:
    """Speak a text into a file; `-` reads it from the standard input."""
    with session(is_json=is_json) as here:
        if text == "-":
            text = sys.stdin.read(MAX_CHARS + 1)
        text = string(text, "the text", most=MAX_CHARS)
        check_target(out)
        config = here.load(name)
        with here.console.status("She speaks ..."):
            said = here.run(_say(text, out, config))
        if not said.seconds:
            out.unlink(missing_ok=True)
            raise ValidationError("nothing of this text can be spoken, so no file was written")
        _answer(here, out, said)


@dataclass(frozen=True, slots=True)
class Said:
    """What became of a text."""

    seconds: float
    voice: str
    """Who spoke it."""

    failures: tuple[str, ...]
    """A sentence for each operation whose first provider did not work."""


def _answer(here: Session, out: Path, said: Said) -> None:
    here.warn(said.failures)
    if here.is_json:
        here.answer(
            {
                "success": True,
                "file": str(out),
                "seconds": round(said.seconds, 3),
                "voice": said.voice,
                "stood_in": list(said.failures),
            }
        )
    else:
        here.console.print(
            f"{out}: {said.seconds:.2f} s, spoken by {said.voice}", markup=False, soft_wrap=True
        )


async def _say(text: str, out: Path, config: Config) -> Said:
    patience = config.patience.get
    voice = TTSManager(patience("tts"))
    effects = AudioFilterManager(patience("filter_audio"))
    filters = TextFilterManager(patience("filter_text"))
    async with AsyncExitStack() as stack:
        for manager, role in ((filters, "filter_text"), (effects, "filter_audio"), (voice, "tts")):
            stack.push_async_callback(manager.close)
            await manager.use(config.choices(role))  # type: ignore[arg-type] # the roles above
        seconds = await write_sound(out, reframe(_speak(text, voice, effects, filters)))
        failures = stood_in(config, filters, effects, voice)
        return Said(seconds, who_answered(config, voice), failures)


async def _speak(
    text: str, voice: TTSManager, effects: AudioFilterManager, filters: TextFilterManager
) -> Stream[AudioFrame]:
    async with aclosing(clauses(filters.apply(_once(text)))) as spoken:
        async for clause in spoken:
            if clause.text:
                async with aclosing(effects.apply(voice.speak(clause.text))) as frames:
                    async for frame in frames:
                        yield frame


async def _once(text: str) -> Stream[str]:
    yield text
