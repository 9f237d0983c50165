"""`voxelle say`: a text, spoken into a file."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

from voxelle.audio import AudioFrame, reframe
from voxelle.cli.recordings import check_target, write_sound
from voxelle.cli.session import Session, session
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
            seconds, voice = here.run(_say(text, out, config))
        if not seconds:
            out.unlink(missing_ok=True)
            raise ValidationError("nothing of this text can be spoken, so no file was written")
        _answer(here, out, seconds, voice)


def _answer(here: Session, out: Path, seconds: float, voice: str) -> None:
    if here.is_json:
        here.answer({"success": True, "file": str(out), "seconds": seconds, "voice": voice})
    else:
        here.console.print(
            f"{out}: {seconds:.2f} s, spoken by {voice}", markup=False, soft_wrap=True
        )


async def _say(text: str, out: Path, config: Config) -> tuple[float, str]:
    patience = config.patience.get
    voice = TTSManager(patience("tts"))
    effects = AudioFilterManager(patience("filter_audio"))
    filters = TextFilterManager(patience("filter_text"))
    async with AsyncExitStack() as stack:
        for manager, role in ((filters, "filter_text"), (effects, "filter_audio"), (voice, "tts")):
            stack.push_async_callback(manager.close)
            await manager.use(config.choices(role))  # type: ignore[arg-type] # the roles above
        seconds = await write_sound(out, reframe(_speak(text, voice, effects, filters)))
        return seconds, voice.name


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
