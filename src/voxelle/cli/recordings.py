"""Recordings as the ear hears them, and replies as files: wav, flac and raw sound.

A recording is read block by block, so an hour of it takes no more memory than a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import soundfile

from voxelle.audio import EAR_RATE, FRAME_SECONDS, VOICE_RATE, AudioFrame, Resampler, Samples
from voxelle.streams import Stream
from voxelle.utils.exceptions import ValidationError

BLOCK_S = 1.0
"""Seconds that are read at once."""

MAX_S = 6 * 3600.0
"""Seconds of a recording at most: a long evening's stream."""

MAX_REPLY_S = 3600.0
"""Seconds of sound that are written at most; 173 MB."""

SUFFIXES = (".wav", ".flac")


class Recording:
    """A wav or flac file of any rate and any number of channels, or raw 16 kHz 16-bit mono.

    Used as a context manager, which closes the file. Opening raises `ValidationError` with a
    sentence if there is no such file, no sound in it, or far too much.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def __enter__(self) -> Self:
        path = self._path
        if path.is_dir():
            raise ValidationError(f"{path} is a folder: give one recording in it at a time")
        if not path.is_file():
            raise ValidationError(f"there is no file {path}")
        if path.stat().st_size == 0:
            raise ValidationError(f"{path} is empty: it has no bytes at all")
        form: dict[str, Any] = {}
        if path.suffix.lower() == ".raw":
            form = {
                "format": "RAW",
                "samplerate": EAR_RATE,
                "channels": 1,
                "subtype": "PCM_16",
                "endian": "LITTLE",
            }
        try:
            self._file = soundfile.SoundFile(path, **form)
        except soundfile.LibsndfileError as error:
            raise ValidationError(
                f"{path} cannot be read as sound ({error.error_string.strip().rstrip('.')}); "
                "give wav, flac, or raw 16 kHz 16-bit mono"
            ) from error
        try:
            self._check()
        except ValidationError:
            self._file.close()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def seconds(self) -> float:
        """How long it is, as its header says; it may be cut off before."""
        return float(self._file.frames) / float(self._file.samplerate)

    async def frames(self) -> Stream[AudioFrame]:
        """Give it in full frames of 20 ms at 16 kHz mono; the last may be short.

        Raises `ValidationError` for samples that are no numbers, and for a file that breaks off.
        """
        blocks = self._blocks()
        per_frame = round(EAR_RATE * FRAME_SECONDS)
        rest = np.zeros(0, np.float32)
        count = 0
        while (block := await asyncio.to_thread(next, blocks, None)) is not None:
            rest = np.concatenate([rest, block])
            whole = len(rest) // per_frame * per_frame
            for at in range(0, whole, per_frame):
                yield AudioFrame(rest[at : at + per_frame], EAR_RATE, count * FRAME_SECONDS)
                count += 1
            rest = rest[whole:]
        if len(rest):
            yield AudioFrame(rest, EAR_RATE, count * FRAME_SECONDS)

    def _check(self) -> None:
        if self._file.frames <= 0:
            raise ValidationError(f"{self._path} is empty: it has a header and no sound")
        if self.seconds > MAX_S:
            raise ValidationError(
                f"{self._path} lasts {self.seconds / 3600:.1f} hours; at most {MAX_S / 3600:.0f} "
                "are taken, so cut it"
            )

    def _blocks(self) -> Iterator[Samples]:
        resampler = Resampler(self._file.samplerate, EAR_RATE)
        size = max(1, round(self._file.samplerate * BLOCK_S))
        while True:
            try:
                block = self._file.read(size, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise ValidationError(f"{self._path} is damaged: {error}") from error
            if not len(block):
                break
            mono = block.mean(axis=1, dtype=np.float32)
            if not np.isfinite(mono).all():
                raise ValidationError(f"{self._path} holds samples that are no numbers (NaN)")
            yield resampler.push(np.clip(mono, -1.0, 1.0))
        yield resampler.finish()


def check_target(path: Path) -> Path:
    """Check that a file may be written: its ending and its folder; raise `ValidationError`."""
    if path.suffix.lower() not in SUFFIXES:
        raise ValidationError(f"{path}: the file must end in {' or '.join(SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise ValidationError(f"{path}: there is no folder {path.absolute().parent}")
    return path


async def write_sound(path: Path, audio: Stream[AudioFrame]) -> float:
    """Write 24 kHz frames into a 16-bit file as they come, and give the seconds.

    On failure and cancellation no half-written file stays. Closes `audio`. Raises
    `ValidationError` if the file cannot be written, and what `audio` raises.
    """
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    samples = 0
    try:
        with soundfile.SoundFile(part, "w", VOICE_RATE, 1, "PCM_16") as file:
            async with aclosing(audio):
                async for frame in audio:
                    samples += len(frame.samples)
                    if samples > MAX_REPLY_S * VOICE_RATE:
                        raise ValidationError(f"it lasts over {MAX_REPLY_S / 3600:.0f} hour")
                    sound = np.clip(frame.samples, -1.0, 1.0)
                    await asyncio.to_thread(file.write, sound)
        part.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise ValidationError(f"{path} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return samples / VOICE_RATE
