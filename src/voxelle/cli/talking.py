"""`voxelle talk`: one whole turn from a recording, through the same engine as live."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import numpy as np
from rich.table import Table

from voxelle.audio import EAR_RATE, FRAME_SECONDS, VOICE_RATE, AudioFrame
from voxelle.cli.recordings import Recording, check_target, write_sound
from voxelle.cli.session import Session, session
from voxelle.cli.standing_in import stood_in
from voxelle.cli.witness import Answer, Witness
from voxelle.config import Config
from voxelle.conversation.room import Room
from voxelle.events import Member
from voxelle.home import Home
from voxelle.server.app_server import AppServer
from voxelle.streams import Stream
from voxelle.utils.exceptions import STTError, ValidationError, VoxelleException

MAX_S = 300.0
"""Seconds of a recording at most: it is played in real time; `voxelle hear` takes hours."""

ANSWER_S = 60.0
"""Seconds after the recording within which she must have begun to answer."""

SPEAKER = Member(platform="recording", id="speaker", name="Friend")


def talk(file: Path, out: Path, name: str, *, is_json: bool) -> None:
    """Play a recording to her, write her reply into a file, and tell when what happened."""
    with session(is_json=is_json) as here, Recording(file) as recording:
        check_target(out)
        if recording.seconds > MAX_S:
            raise ValidationError(
                f"{file} lasts {recording.seconds:.0f} s; it is played in real time, so at most "
                f"{MAX_S:.0f} s are taken (`voxelle hear` takes hours)"
            )
        config = here.load(name)
        with here.console.status(f"Talking, {recording.seconds:.0f} s in real time ..."):
            answers, failures = here.run(_talk(recording, config, here.home))
            here.run(write_sound(out, _sound(answers)))
        here.warn(failures)
        _tell(here, out, answers, failures)


async def _talk(
    recording: Recording, config: Config, home: Home
) -> tuple[list[Answer], tuple[str, ...]]:
    async with AppServer(config, home) as server:
        if missing := server.readiness.missing:
            raise VoxelleException("; ".join(f"{role}: {why}" for role, why in missing.items()))
        room = server.rooms.room("talk")
        witness = Witness(room)
        room.attach(witness)
        room.enter(SPEAKER)
        playing = asyncio.create_task(witness.play(), name="playing")
        try:
            await _listen(recording, room, witness)
        finally:
            playing.cancel()
            await asyncio.wait([playing])
            room.detach(witness)
        managers = [manager for _, manager in server.operations]
        return witness.answers, stood_in(config, *managers)


async def _listen(recording: Recording, room: Room, witness: Witness) -> None:
    """Play the recording in real time, and then silence, until she has answered."""
    now = asyncio.get_running_loop().time
    due = now()
    async with aclosing(recording.frames()) as frames:
        async for frame in frames:
            room.hear(SPEAKER.key, frame)
            due += frame.seconds
            await asyncio.sleep(due - now())
    silence = np.zeros(round(EAR_RATE * FRAME_SECONDS), np.float32)
    start = ended = now()
    while not witness.is_done(now() - ended):
        if witness.error:
            raise STTError(witness.error, provider="talk", is_retryable=False)
        if not witness.answers and now() - start > _patience_s(witness):
            raise ValidationError(_why_not(witness))
        at = round((due - start) / FRAME_SECONDS) * FRAME_SECONDS
        room.hear(SPEAKER.key, AudioFrame(silence, EAR_RATE, at))
        due += FRAME_SECONDS
        await asyncio.sleep(due - now())


def _why_not(witness: Witness) -> str:
    if witness.words:
        return f"she did not answer; what she understood was {' '.join(witness.words)!r}"
    if witness.has_heard:
        return "she did not answer: a voice was heard, but no words were understood"
    return "she did not answer: no voice was heard in this recording"


def _patience_s(witness: Witness) -> float:
    # Nobody who was never heard speaking is answered, so there is nothing to wait for.
    return ANSWER_S if witness.has_heard else 3.0


async def _sound(answers: list[Answer]) -> Stream[AudioFrame]:
    at = 0.0
    for answer in answers:
        for pcm in answer.sound:
            frame = AudioFrame.from_pcm16(pcm, VOICE_RATE, start=at)
            at += frame.seconds
            yield frame


def _tell(here: Session, out: Path, answers: list[Answer], failures: tuple[str, ...]) -> None:
    if here.is_json:
        told = [answer.facts() for answer in answers]
        here.answer(
            {"success": True, "file": str(out), "answers": told, "stood_in": list(failures)}
        )
        return
    for answer in answers:
        for line in lines(answer):
            here.console.print(line, markup=False, soft_wrap=True)
        table = Table("what happened", "after the end of speech", show_edge=False)
        for what, seconds in answer.timeline():
            table.add_row(what, f"{seconds:7.3f} s")
        here.console.print(table)
    here.console.print(
        f"{out}: {sum(answer.seconds for answer in answers):.2f} s", markup=False, soft_wrap=True
    )


def lines(answer: Answer) -> list[str]:
    """Say in lines for people what was asked and answered, and how that ended."""
    ending = f" ({answer.reason})" if answer.reason != "finished" else ""
    lines = [f"heard:   {answer.question}", f"spoken:  {answer.reply or '(nothing)'}{ending}"]
    if answer.unheard:
        lines.append(f"unheard: {answer.unheard}")
    if answer.detail:
        lines.append(f"because: {answer.detail}")
    return lines
