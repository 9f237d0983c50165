"""Sound that arrives as bytes: raw samples or WAV, cut anywhere."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from voxelle.audio import Samples

MAX_HEADER = 65_536
"""Bytes before the samples of a WAV; real headers have 44 to a few hundred."""

RATES = range(4_000, 192_001)
"""Sensible rates, in hertz."""

MAX_CHANNELS = 8

_UNKNOWN_SIZES = frozenset({0, 0xFFFFFFFF, 0x7FFFFFFF})
"""What servers write as the size of a WAV that they are still making: 0 (kokoro-fastapi and
others), all ones (OpenAI, ffmpeg), or the largest signed number."""

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_OTHER_SOUNDS = {b"ID3": "MP3", b"OggS": "Ogg", b"fLaC": "FLAC"}


class SoundError(ValueError):
    """The bytes are no sound that can be read; says what they are instead."""


@dataclass(frozen=True, slots=True)
class Format:
    """How samples are written."""

    rate: int
    """Samples per second, in hertz."""

    channels: int = 1
    bits: int = 16
    is_float: bool = False

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.bits // 8


class SoundReader:
    """Turns bytes into mono float32 samples, as they come.

    A WAV header is believed; without one the bytes are little-endian 16-bit
    mono at `raw_rate`. Samples cut in two wait for their other half.
    """

    def __init__(self, raw_rate: int) -> None:
        self._raw = Format(raw_rate)
        self._format: Format | None = None
        self._held = b""
        self._left: int | None = None

    @property
    def rate(self) -> int:
        """Samples per second, in hertz; `raw_rate` until a header said otherwise."""
        return (self._format or self._raw).rate

    def push(self, data: bytes) -> Samples:
        """Take bytes, give the samples that are whole by now, shape (n,) in [-1, 1].

        Raises `SoundError` if the bytes are a text, a page, or a sound of another kind.
        """
        self._held += data
        form = self._format or self._open()
        if form is None:
            return np.zeros(0, np.float32)
        self._format = form
        usable = len(self._held) if self._left is None else min(len(self._held), self._left)
        usable -= usable % form.frame_bytes
        ready = self._held[:usable]
        if self._left is not None:
            self._left -= usable
        # What comes after the samples of a WAV (tags, names) is no sound.
        self._held = b"" if self._left == 0 else self._held[usable:]
        return _samples(ready, form)

    def finish(self) -> Samples:
        """Give what was held back because it could have become a header; drop half a sample.

        Raises `SoundError` if a header was not completed.
        """
        if self._format is None and self._held:
            if self._held.startswith(b"RIFF"):
                raise SoundError("a WAV that ends before its samples")
            self._format = self._raw
            return self.push(b"")
        return np.zeros(0, np.float32)

    def _open(self) -> Format | None:
        """Find out what comes; `None` if that is not known yet."""
        if len(self._held) < 12:
            return None
        if self._held.startswith(b"RIFF") and self._held[8:12] == b"WAVE":
            return self._read_header()
        if name := _kind_of(self._held):
            raise SoundError(name)
        return self._raw

    def _read_header(self) -> Format | None:
        at = 12
        found: Format | None = None
        while len(self._held) >= at + 8:
            name, size = struct.unpack_from("<4sI", self._held, at)
            at += 8
            if name == b"data":
                if found is None:
                    raise SoundError("a WAV without a format before its samples")
                self._held = self._held[at:]
                self._left = None if size in _UNKNOWN_SIZES else size
                return found
            if at + size > MAX_HEADER:
                raise SoundError("a WAV whose header has no end")
            if len(self._held) < at + size:
                return None
            if name == b"fmt ":
                found = _format(self._held[at : at + size])
            at += size + size % 2
        if len(self._held) > MAX_HEADER:
            raise SoundError("a WAV whose header has no end")
        return None


def _format(chunk: bytes) -> Format:
    if len(chunk) < 16:
        raise SoundError("a WAV with a broken header")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if kind == _EXTENSIBLE and len(chunk) >= 26:
        kind = struct.unpack_from("<H", chunk, 24)[0]
    if (kind, bits) not in {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32)}:
        raise SoundError(f"a WAV of kind {kind} with {bits} bits, which cannot be read")
    if rate not in RATES or not 1 <= channels <= MAX_CHANNELS:
        raise SoundError(f"a WAV with {channels} channels at {rate} Hz, which cannot be right")
    return Format(rate, channels, bits, kind == _FLOAT)


def _samples(data: bytes, form: Format) -> Samples:
    if form.is_float:
        wide = np.nan_to_num(np.frombuffer(data, "<f4"), nan=0.0, posinf=1.0, neginf=-1.0)
    elif form.bits == 8:
        wide = (np.frombuffer(data, "u1").astype(np.float32) - 128) / 128
    elif form.bits == 24:
        parts = np.frombuffer(data, "u1").reshape(-1, 3)
        padded = np.zeros((len(parts), 4), "u1")
        padded[:, 1:] = parts
        wide = padded.view("<i4")[:, 0].astype(np.float32) / 2147483648
    else:
        wide = np.frombuffer(data, f"<i{form.bits // 8}").astype(np.float32) / (
            2.0 ** (form.bits - 1)
        )
    mono: Samples = wide.reshape(-1, form.channels).mean(axis=1, dtype=np.float32)
    return np.clip(mono, -1.0, 1.0)


def _kind_of(data: bytes) -> str:
    """Name what the bytes are if they are surely no raw samples."""
    for magic, name in _OTHER_SOUNDS.items():
        if data.startswith(magic):
            return f"{name} sound"
    start = data[:12].lstrip().lower()
    if start.startswith((b'{"error', b'{"detail', b'{"message')):
        return "a message in JSON"
    if start.startswith((b"<!doctype", b"<html")):
        return "a web page"
    return ""
