"""pocketsphinx: English speech on any processor, without a download (its model is in the wheel).

It runs in worker processes, because it holds the interpreter while it works (for seconds at the
end of a long utterance). Each worker hears several people at once. It understands about two words
of three in clear speech: a real ear (faster_whisper, openai) is a line of configuration away.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import aclosing
from importlib.util import find_spec
from types import TracebackType
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, field_validator

from voxelle.audio import AudioFrame
from voxelle.operations.base import Options, Provider, Transcript
from voxelle.operations.stt.pronunciation import PHONES, guess
from voxelle.processes.child import Call
from voxelle.processes.worker import Worker, WorkerSettings
from voxelle.streams import Stream
from voxelle.utils.exceptions import ProcessError, STTError

if find_spec("pocketsphinx") is None:  # the workers need it; whoever chooses us hears of it now
    raise ModuleNotFoundError("No module named 'pocketsphinx'", name="pocketsphinx")

Word = Annotated[str, StringConstraints(pattern=r"^[^\W\d_]['\w-]{0,39}$", to_lower=True)]
Phones = Annotated[str, StringConstraints(max_length=200)]


class PocketsphinxOptions(Options):
    """Which words it knows, and how many people it hears at once."""

    words: dict[Word, Phones] = Field(
        default={"voxelle": "V AA K S EH L"},
        max_length=500,
        description="Further words, such as names, with their sounds in ARPABET;"
        " an empty pronunciation is looked up or guessed.",
    )
    workers: int = Field(
        default=min(2, os.cpu_count() or 1),
        ge=1,
        le=16,
        description="Processes at most; the second is started when two people speak at once.",
    )
    decoders: int = Field(
        default=3,
        ge=1,
        le=8,
        description="People heard at once by each process, 90 MB each; more of them wait.",
    )
    max_s: float = Field(
        default=60.0,
        ge=1,
        le=60,
        description="Seconds after which an utterance is taken as ended.",
    )

    @field_validator("words")
    @classmethod
    def _check_words(cls, words: dict[str, str]) -> dict[str, str]:
        """Fill in the guesses, and name the sounds that do not exist."""
        for word, phones in words.items():
            if strange := sorted(set(phones.split()) - PHONES):
                raise ValueError(
                    f"the word {word!r} has unknown sounds: {', '.join(strange)};"
                    f" known: {' '.join(sorted(PHONES))}"
                )
            if not phones.strip() and not guess(word):
                raise ValueError(f"the word {word!r} needs a pronunciation: it has no Latin letter")
        return words


class PocketsphinxSTT(Provider):
    """Hears with pocketsphinx: partials while somebody speaks, the final soon after."""

    options_type = PocketsphinxOptions
    options: PocketsphinxOptions

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        arguments = json.dumps({"words": self.options.words, "decoders": self.options.decoders})
        settings = WorkerSettings("voxelle.operations.stt.pocketsphinx_worker", (arguments,))
        self._workers = [Worker(settings) for _ in range(self.options.workers)]
        self._growing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._workers[0].start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._growing is not None:
            self._growing.cancel()
            await asyncio.wait([self._growing])
        for worker in self._workers:
            await worker.close()

    async def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[Transcript]:
        """Give a partial transcript whenever it changed, and one final one, in small letters.

        An utterance without understandable speech ends with an empty final; one longer than
        `max_s` ends there. Raises `STTError` if the worker fails, and what `utterance` raises.
        To close this stream is to close `utterance`; the decoder is then free at once.
        """
        async with aclosing(utterance):
            worker = self._pick()
            try:
                async with worker.call() as call:
                    feeding = asyncio.create_task(self._feed(call, utterance), name="feed the ear")
                    try:
                        async with aclosing(call.answers()) as answers:
                            async for answer in answers:
                                header = answer.header
                                yield Transcript(str(header["text"]), bool(header["is_final"]))
                    finally:
                        feeding.cancel()
                        await asyncio.wait([feeding])
            except ProcessError as error:
                message = f"pocketsphinx: {error}"
                raise STTError(message, provider="pocketsphinx", is_retryable=True) from error

    async def _feed(self, call: Call, utterance: Stream[AudioFrame]) -> None:
        """Send the utterance to the worker, as far as it may go; its failure ends the call."""
        left_s = self.options.max_s
        try:
            async for frame in utterance:
                samples = frame.samples[: round(left_s * frame.rate)]
                await call.send(AudioFrame(samples, frame.rate).to_pcm16())
                left_s -= frame.seconds
                if left_s <= 0:
                    break
            await call.end()
        except Exception as error:  # noqa: BLE001 - it is raised where the answers are read
            call.fail(error)

    def _pick(self) -> Worker:
        """Choose the worker with the least to do, and start one more if all are busy."""
        running = [worker for worker in self._workers if worker.pid is not None]
        if not running:
            return self._workers[0]
        best = min(running, key=lambda worker: worker.calls)
        idle = [worker for worker in self._workers if worker.pid is None]
        is_growing = self._growing is not None and not self._growing.done()
        if best.calls > 0 and idle and not is_growing:
            self._growing = asyncio.create_task(_start(idle[0]), name="one more ear")
        return best


async def _start(worker: Worker) -> None:
    """Start a worker ahead of need; if it fails, the next request that meets it will say so."""
    try:
        await worker.start()
    except ProcessError:
        return
