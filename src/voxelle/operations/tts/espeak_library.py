"""espeak-ng through ctypes; loaded only inside the worker process.

The library is GPL-3 and has one global state (one voice, one text at a time), which is why it
lives apart. Its constants and structures come from its public header `speak_lib.h`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxelle.utils.exceptions import ConfigurationError

RETRIEVAL = 2  # AUDIO_OUTPUT_SYNCHRONOUS: sound goes to the callback, in the caller's thread
PHONEME_EVENTS, PHONEMES_IN_IPA, DO_NOT_EXIT = 1, 2, 0x8000
UTF8, END_PAUSE = 1, 0x1000  # without the SSML and PHONEMES flags text is nothing but text
WORD, PHONEME = 1, 7
PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3, "range": 4}
USUAL = ("en-us", "de", "es", "fr", "it", "ja", "ko", "pt-br", "ru")
"""Voices that a message names, so that one sees how they are written."""

PIECE_MS = 40
"""Length of a piece of sound; the end of a piece is also where work can be broken off."""


class _Id(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class Event:
    """A word or a phoneme begins."""

    is_word: bool

    at: int
    """Index of the word's first character, as espeak counts it."""

    start: float
    """Seconds from the beginning of the text's sound."""

    phoneme: str
    """The phoneme in IPA; empty for a word, and for a pause."""


Sink = Callable[[bytes, list[Event]], bool]
"""Takes a piece of 16-bit sound and what begins in it; says whether to go on."""


class EspeakLibrary:
    """The library, with one voice; use it from one thread."""

    def __init__(self) -> None:
        import espeakng_loader

        self._data = Path(espeakng_loader.get_data_path())
        self._library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        self._library.espeak_Synth.argtypes = [
            *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
            *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
        ]
        self._library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self._library.espeak_Info.restype = ctypes.c_char_p
        options = PHONEME_EVENTS | PHONEMES_IN_IPA | DO_NOT_EXIT
        path = str(self._data).encode()
        self.rate = int(self._library.espeak_Initialize(RETRIEVAL, PIECE_MS, path, options))
        if self.rate <= 0:
            raise ConfigurationError(
                f"espeak-ng cannot start: its data in {self._data} is missing or damaged;"
                " install it again with: pip install --force-reinstall espeakng-loader"
            )
        self._sink: Sink = lambda _pcm, _events: False
        self._failure: Exception | None = None
        self._callback = _CALLBACK(self._take)
        self._library.espeak_SetSynthCallback(self._callback)

    @property
    def version(self) -> str:
        """The library's version, such as `1.52`."""
        return bytes(self._library.espeak_Info(None) or b"").decode("ascii", "replace")

    def voices(self) -> list[str]:
        """Give the languages there are voices for."""
        found: list[str] = []
        listed = self._library.espeak_ListVoices(None)
        index = 0
        while listed[index]:
            # A priority byte, then the name; several of them may follow each other.
            found.append(bytes(listed[index].contents.languages[1:]).decode("utf-8", "replace"))
            index += 1
        return sorted(set(found))

    def variants(self) -> list[str]:
        """Give the ways every voice can be changed, such as `f3`."""
        return sorted(path.name for path in (self._data / "voices" / "!v").glob("*"))

    def choose(self, voice: str, variant: str) -> None:
        """Set the voice; raise `ConfigurationError`, naming some that exist, if there is none."""
        if variant and variant not in self.variants():
            some = ", ".join(self.variants()[:12])
            raise ConfigurationError(f"espeak-ng has no variant {variant!r}; it has {some} ...")
        name = f"{voice}+{variant}" if variant else voice
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            known = self.voices()
            alike = [name for name in known if name[:2] == voice[:2].lower()]
            some = ", ".join([*alike[:8], *(name for name in USUAL if name in known)])
            raise ConfigurationError(
                f"espeak-ng has no voice {voice!r}; it has {some} and others,"
                f" {len(known)} altogether"
            )

    def set(self, **parameters: int) -> None:
        """Set rate (words per minute), pitch (0-99), range (0-99) or volume (0-200)."""
        for name, value in parameters.items():
            self._library.espeak_SetParameter(PARAMETERS[name], value, 0)

    def speak(self, text: str, sink: Sink) -> None:
        """Read a text aloud into the sink, until it is done or the sink says no.

        Raises what the sink raises, and `RuntimeError` if the library refuses.
        """
        raw = text.encode() + b"\0"
        self._sink, self._failure = sink, None
        status = self._library.espeak_Synth(raw, len(raw), 0, 0, 0, UTF8 | END_PAUSE, None, None)
        self._library.espeak_Synchronize()
        if self._failure is not None:
            raise self._failure
        if status != 0:
            raise RuntimeError(f"espeak-ng refuses a text of {len(text)} characters ({status})")

    def _take(self, sound: int | None, count: int, events: Any) -> int:
        """Take a piece of sound, called by the library; 1 breaks the work off."""
        try:
            pcm = ctypes.string_at(sound, count * 2) if sound and count > 0 else b""
            return 0 if self._sink(pcm, _read_events(events)) else 1
        except Exception as error:  # noqa: BLE001 - nothing may be raised through C
            self._failure = error
            return 1


def _read_events(events: Any) -> list[Event]:
    found: list[Event] = []
    index = 0
    while events[index].type != 0:
        event = events[index]
        start = event.audio_position / 1000
        if event.type == WORD:
            found.append(Event(True, event.text_position - 1, start, ""))
        elif event.type == PHONEME:
            text = bytes(event.id.string).split(b"\0")[0].decode("utf-8", "ignore")
            found.append(Event(False, 0, start, text))
        index += 1
    return found
