"""Whisper on this machine, through faster-whisper and CTranslate2 (extra `local`)."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field

from voxelle.audio import EAR_RATE, AudioFrame, Samples
from voxelle.home import find_home
from voxelle.operations import base
from voxelle.operations.stt.rewriting import Rewriting, rewrite
from voxelle.streams import Stream
from voxelle.utils.exceptions import ConfigurationError, STTError

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment

if find_spec("faster_whisper") is None:
    # The package itself is imported when the ear is opened, in a thread: it takes a second.
    raise ModuleNotFoundError("No module named 'faster_whisper'", name="faster_whisper")

log = logging.getLogger(__name__)

WINDOW_S = 30.0
"""Seconds that Whisper hears at once; longer recordings need its timestamps."""

UNSURE = -0.5
"""Mean log-probability below which a transcript of probable silence is not believed. Whisper's own
limit is -1.0; what it invents in noise mostly lies between the two, real speech above."""

REPETITIVE = 2.4
"""How well a text may be compressed before it is a loop: Whisper's own limit."""

PHANTOMS = frozenset(
    {"thank you", "thanks for watching", "thank you for watching", "you", "bye", "subscribe"}
)
"""What Whisper writes most often when nobody speaks (it learned from subtitles)."""

PHANTOM_NO_SPEECH = 0.2
"""Probability of silence from which such a sentence is not believed."""


class FasterWhisperOptions(base.Options):
    """Which model listens, on what, and how carefully."""

    model: str = Field(
        default="base",
        min_length=1,
        max_length=500,
        description="Folder in models/, a path with a /, or a size such as tiny, base, small, "
        "distil-small.en, medium, large-v3-turbo, which is downloaded once.",
    )
    download: bool = Field(
        default=True, description="Whether a model that is not there may be downloaded."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where it runs; auto: an NVIDIA card if it works, else the CPU."
    )
    device_index: int = Field(default=0, ge=0, description="Which graphics card, from 0.")
    compute_type: str = Field(
        default="auto",
        description="Precision, such as int8, float16, float32; auto: float16 on a card, int8 "
        "on the CPU.",
    )
    cpu_threads: int = Field(
        default=0, ge=0, le=64, description="CPU threads of one transcription; 0: up to four."
    )
    workers: int = Field(
        default=2, ge=1, le=16, description="Transcriptions that may run at the same time."
    )
    language: str | None = Field(
        default=None,
        pattern="^[a-z]{2,3}$",
        description="Language that is spoken, such as en or de; unset: the model finds out, "
        "which takes longer and may go wrong in short utterances.",
    )
    beam_size: int = Field(
        default=5,
        ge=1,
        le=20,
        description="How many readings are compared at the end; partial ones are never compared.",
    )
    prompt: str = Field(
        default="",
        max_length=1_000,
        description="Text that shows the model style and spelling of what is said.",
    )
    words: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="Names and rare words to listen for, such as the character's name.",
    )
    partial_s: float = Field(
        default=1.0,
        ge=0,
        le=30,
        description="Seconds of new speech before it is written down while the person still "
        "speaks; 0: never.",
    )
    max_utterance_s: float = Field(
        default=60.0,
        gt=0,
        le=600,
        description="Longest utterance, in seconds; what is said after that is left out.",
    )
    no_speech_threshold: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="Probability of silence from which an unsure transcript is not believed.",
    )


@dataclass(frozen=True, slots=True)
class Engine:
    """What a model runs on."""

    device: Literal["cpu", "cuda"]
    compute_type: str


class FasterWhisperSTT(base.Provider):
    """Listens with Whisper in a few threads; CTranslate2 lets the event loop run meanwhile."""

    options_type = FasterWhisperOptions
    options: FasterWhisperOptions

    def __init__(self, options: FasterWhisperOptions) -> None:
        super().__init__(options)
        self._model: WhisperModel | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._at_work = 0

    async def __aenter__(self) -> Self:
        """Find or download the model, load it and try it out.

        Raises `ConfigurationError` at once for a missing or broken model, a device or a
        compute type that is not there. Cancelling stops a download.
        """
        self._stopping.clear()
        models = find_home().models
        try:
            self._model = await asyncio.to_thread(load, self.options, models, self._stopping)
        except asyncio.CancelledError:
            self._stopping.set()
            raise
        self._pool = ThreadPoolExecutor(self.options.workers, thread_name_prefix="whisper")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drop what is queued, wait for what runs, and let go of the model."""
        self._stopping.set()
        pool, self._pool, self._model = self._pool, None, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)

    def transcribe(self, utterance: Stream[AudioFrame]) -> Stream[base.Transcript]:
        """Give transcripts; closing the stream drops what is being written and closes `utterance`.

        A thread that is at work stops at its next segment and is then free for others.
        Partial transcripts are skipped while all threads have something to do. Silence is
        final and empty without asking the model. Raises `STTError` when the model fails.
        """
        return self._translated(
            rewrite(
                utterance,
                self._write,
                Rewriting(self.options.partial_s, self.options.max_utterance_s),
            )
        )

    async def _translated(self, stream: Stream[base.Transcript]) -> Stream[base.Transcript]:
        try:
            async for item in stream:
                yield item
        except (RuntimeError, ValueError, MemoryError) as error:
            raise STTError(
                f"Whisper failed: {error}", provider="faster_whisper", is_retryable=False
            ) from error
        finally:
            await stream.aclose()

    async def _write(self, samples: Samples, is_final: bool) -> Stream[str]:
        model, pool = self._model, self._pool
        if model is None or pool is None:
            raise STTError("the ear is not open", provider="faster_whisper", is_retryable=False)
        if not is_final and self._at_work >= self.options.workers:
            return
        stop = threading.Event()
        with self._lock:
            self._at_work += 1
        job = pool.submit(write_down, model, samples, self._settings(is_final=is_final), stop)
        job.add_done_callback(self._done)
        try:
            yield await asyncio.wrap_future(job)
        finally:
            stop.set()

    def _done(self, job: Future[str]) -> None:
        """Count a job out when its thread is really free; called in any thread."""
        del job
        with self._lock:
            self._at_work -= 1

    def _settings(self, *, is_final: bool) -> dict[str, Any]:
        options = self.options
        return {
            "language": options.language,
            "beam_size": options.beam_size if is_final else 1,
            # Guessing anew after a bad try is worth its time only at the end.
            "temperature": [0.0, 0.2, 0.4] if is_final else [0.0],
            "initial_prompt": options.prompt or None,
            "hotwords": ", ".join(options.words) or None,
            "no_speech_threshold": options.no_speech_threshold,
            "condition_on_previous_text": False,
            "vad_filter": False,
        }


def load(options: FasterWhisperOptions, models: Path, stop: threading.Event) -> WhisperModel:
    """Find, load and try out the model; takes seconds, so call it in a thread.

    Raises `ConfigurationError` as `FasterWhisperSTT.__aenter__` says.
    """
    from voxelle.operations.stt.whisper_models import (
        check_model,
        download_model,
        find_model,
        missing_model,
    )

    engine = choose_engine(options)
    folder = find_model(options.model, models)
    if folder is None and not options.download:
        raise missing_model(options.model, models)
    if folder is None:
        folder = download_model(options.model, models, stop)
    check_model(folder)
    try:
        return _open(folder, engine, options)
    except ConfigurationError as error:
        if engine.device == "cpu" or options.device != "auto":
            raise
        log.warning("the graphics card cannot be used, so Whisper runs on the CPU: %s", error)
        return _open(folder, Engine("cpu", "int8"), options)


def choose_engine(options: FasterWhisperOptions) -> Engine:
    """Decide on device and compute type; raise `ConfigurationError` for what is not there."""
    import ctranslate2

    cards = ctranslate2.get_cuda_device_count()
    if options.device == "cuda" and options.device_index >= cards:
        raise ConfigurationError(
            f"device cuda with device_index {options.device_index}: this machine has {cards} "
            f"NVIDIA card(s) that can be used. Set device to auto or cpu."
        )
    has_card = options.device_index < cards
    device: Literal["cpu", "cuda"] = "cuda" if options.device != "cpu" and has_card else "cpu"
    known = ctranslate2.get_supported_compute_types(device)
    if options.compute_type != "auto":
        if options.compute_type not in known:
            raise ConfigurationError(
                f"compute_type {options.compute_type!r} does not work on the {device} of this "
                f"machine; these do: {', '.join(sorted(known))}, or auto"
            )
        return Engine(device, options.compute_type)
    preferred = ("float16", "int8_float32", "int8") if device == "cuda" else ("int8",)
    return Engine(device, next((kind for kind in preferred if kind in known), "float32"))


def _open(folder: Path, engine: Engine, options: FasterWhisperOptions) -> WhisperModel:
    from faster_whisper import WhisperModel

    cores = max(1, (os.cpu_count() or 1) // options.workers)
    try:
        model = WhisperModel(
            str(folder),
            device=engine.device,
            device_index=options.device_index if engine.device == "cuda" else 0,
            compute_type=engine.compute_type,
            cpu_threads=options.cpu_threads or min(4, cores),
            num_workers=options.workers,
            local_files_only=True,
        )
        # The first run is slow and finds out about missing libraries: better now than later.
        # The seed only makes it the same every time.
        noise = np.random.default_rng(0).normal(0, 0.01, EAR_RATE).astype(np.float32)
        write_down(model, noise, {"language": "en", "beam_size": 1, "temperature": [0.0]})
    except Exception as error:
        # tokenizers and CTranslate2 raise plain Exception and RuntimeError for all that is wrong.
        raise ConfigurationError(_why(folder, engine, error)) from error
    known = model.supported_languages
    if options.language is not None and options.language not in known:
        shown = "only en" if known == ["en"] else ", ".join(sorted(known))
        raise ConfigurationError(
            f"the Whisper model {folder.name} knows no language {options.language!r}: {shown}"
        )
    return model


def _why(folder: Path, engine: Engine, error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    if engine.device == "cuda":
        return (
            f"Whisper cannot use the graphics card ({text}). It needs cuBLAS 12 and cuDNN 9: "
            f"pip install nvidia-cublas-cu12 nvidia-cudnn-cu12. Or set device to cpu."
        )
    return f"{folder} is not a Whisper model that faster-whisper can read: {text}"


def write_down(
    model: WhisperModel,
    samples: Samples,
    settings: dict[str, Any],
    stop: threading.Event | None = None,
) -> str:
    """Write a 16 kHz recording down, in the thread it is called in.

    Setting `stop` ends it before the next segment of at most 30 s; the text is then not whole.
    """
    is_short = len(samples) <= WINDOW_S * EAR_RATE
    segments, _ = model.transcribe(samples, without_timestamps=is_short, **settings)
    texts: list[str] = []
    with suppress(StopIteration):
        while stop is None or not stop.is_set():
            segment = next(segments)
            if is_believable(segment, settings.get("no_speech_threshold", 0.6)):
                texts.append(segment.text.strip())
    return " ".join(texts)


def is_believable(segment: Segment, no_speech_threshold: float) -> bool:
    """Tell whether somebody said this, or whether Whisper made it up in silence or noise."""
    no_speech = segment.no_speech_prob or 0.0
    if no_speech > no_speech_threshold and segment.avg_logprob < UNSURE:
        return False
    if segment.compression_ratio > REPETITIVE:
        return False
    words = "".join(c for c in segment.text.lower() if c.isalnum() or c == " ").strip()
    return not (words in PHANTOMS and no_speech > PHANTOM_NO_SPEECH)
