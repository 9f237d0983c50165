"""`voxelle hear`: a recording, written down."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import Progress

from voxelle.audio import AudioFrame, Samples
from voxelle.cli.recordings import Recording
from voxelle.cli.session import session
from voxelle.cli.standing_in import stood_in, who_answered
from voxelle.config import Config
from voxelle.conversation.segmenter import WINDOW_SECONDS, Change, Segmenter
from voxelle.operations.stt.manager import STTManager
from voxelle.operations.vad.manager import VADManager
from voxelle.operations.vad.shared import WINDOW
from voxelle.streams import Stream

PRE_ROLL_S = 0.5
"""Seconds of sound before a voice is certain that are heard, too: no first syllable is lost."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance of a recording."""

    start: float
    """Seconds from the beginning of the recording."""

    seconds: float
    text: str


def hear(file: Path, name: str, *, is_json: bool) -> None:
    """Write down every utterance; in JSON, all of them together at the end."""
    with session(is_json=is_json) as here, Recording(file) as recording:
        config = here.load(name)
        console = here.console
        told: list[Heard] = []
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("Listening", total=recording.seconds)

            def tell(heard: Heard) -> None:
                told.append(heard)
                console.print(
                    f"{heard.start:8.2f} s  {heard.text or '(nothing)'}",
                    markup=False,
                    soft_wrap=True,
                )

            def advance(seconds: float) -> None:
                progress.update(task, completed=seconds)

            ear, failures = here.run(_hear(recording, config, tell, advance))
        here.warn(failures)
        if here.is_json:
            said = [
                {"start": round(h.start, 3), "seconds": round(h.seconds, 3), "text": h.text}
                for h in told
            ]
            text = " ".join(heard.text for heard in told if heard.text)
            here.answer(
                {
                    "success": True,
                    "ear": ear,
                    "text": text,
                    "utterances": said,
                    "stood_in": list(failures),
                }
            )
        elif not told:
            console.print("Nobody speaks in this recording.")


async def _hear(
    recording: Recording,
    config: Config,
    tell: Callable[[Heard], None],
    advance: Callable[[float], None],
) -> tuple[str, tuple[str, ...]]:
    ear = STTManager(config.patience.get("stt"))
    detector = VADManager(config.patience.get("vad"))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(ear.close)
        stack.push_async_callback(detector.close)
        await detector.use(config.choices("vad"))
        await ear.use(config.choices("stt"))
        cutter = Cutter(detector, config)
        async with aclosing(cutter.utterances(recording.frames(), advance)) as utterances:
            async for start, frames in utterances:
                words = ""
                async with aclosing(ear.transcribe(_replay(frames))) as transcripts:
                    async for transcript in transcripts:
                        words = transcript.text
                tell(Heard(start, sum(frame.seconds for frame in frames), words))
        return who_answered(config, ear), stood_in(config, detector, ear)


class Cutter:
    """Cuts a recording into utterances, as the conversation does it live."""

    def __init__(self, detector: VADManager, config: Config) -> None:
        endpointing = config.conversation.endpointing
        self._detector = detector
        self._segmenter = Segmenter(lambda: endpointing.unsure_s, endpointing.longest_s)

    async def utterances(
        self, frames: Stream[AudioFrame], advance: Callable[[float], None]
    ) -> Stream[tuple[float, list[AudioFrame]]]:
        """Give each utterance with its start in seconds; closes `frames`.

        `advance` is told how many seconds were looked at.
        """
        self._detector.resize(1)
        self._detector.reset(0)
        before: deque[AudioFrame] = deque(maxlen=round(PRE_ROLL_S / WINDOW_SECONDS))
        spoken: list[AudioFrame] = []
        async with aclosing(windows(frames)) as all_windows:
            async for window in all_windows:
                score = float(self._detector.score([0], window.samples[np.newaxis])[0])
                change = self._segmenter.feed(score)
                if change is Change.STARTED:
                    spoken = list(before)
                    before.clear()
                (spoken if self._segmenter.is_speech or spoken else before).append(window)
                if change in (Change.ENDED, Change.CUT):
                    yield spoken[0].start, spoken
                    spoken = []
                advance(window.start)
        if spoken:
            yield spoken[0].start, spoken


async def windows(frames: Stream[AudioFrame]) -> Stream[AudioFrame]:
    """Give the same sound in windows of 512 samples, the last one filled up with silence."""
    rest: Samples = np.zeros(0, np.float32)
    count = 0
    rate = 16_000
    async with aclosing(frames):
        async for frame in frames:
            rest, rate = np.concatenate([rest, frame.samples]), frame.rate
            while len(rest) >= WINDOW:
                yield AudioFrame(rest[:WINDOW], rate, count * WINDOW_SECONDS)
                rest, count = rest[WINDOW:], count + 1
    if len(rest):
        last = np.pad(rest, (0, WINDOW - len(rest)))
        yield AudioFrame(last, rate, count * WINDOW_SECONDS)


async def _replay(frames: list[AudioFrame]) -> Stream[AudioFrame]:
    for frame in frames:
        yield frame
