"""Turns written text into speakable text."""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated, Literal

from pydantic import Field

from voxelle.operations.base import Options, Provider
from voxelle.operations.filter_text.cleaner import Cleaner
from voxelle.operations.filter_text.slices import sliced
from voxelle.streams import Stream

EMOTES = tuple(
    (
        "Kappa KappaPride Keepo LUL LULW OMEGALUL KEKW PogChamp Pog POGGERS PogU Poggers monkaS "
        "monkaW monkaHmm Pepega PepeHands PepeLaugh peepoHappy peepoSad FeelsBadMan FeelsGoodMan "
        "FeelsStrongMan BibleThump Kreygasm ResidentSleeper NotLikeThis TriHard WutFace SeemsGood "
        "HeyGuys VoHiYo DansGame BabyRage CoolStoryBob EZClap catJAM widepeepoHappy Sadge Copium "
        "COPIUM HOPIUM Clueless Madge Bedge KEKWait GIGACHAD AYAYA "
    ).split()
)
"""Words of Twitch chat that stand for pictures, as written; nobody says them in a sentence."""


class CleanOptions(Options):
    """Settings of the cleaning."""

    urls: Literal["domain", "drop"] = "domain"
    """What is said of an address: its domain, or nothing."""

    emotes: Annotated[tuple[str, ...], Field(max_length=2_000)] = EMOTES
    """Words that are dropped; case counts."""


class Clean(Provider):
    """Takes out of a reply what cannot be spoken.

    Markdown and HTML lose their signs and keep their words; links become their text, addresses
    their domain; code blocks, thoughts in `<think>`, emoji, emotes and `*actions*` go. Expression
    tags such as `[happy]` stay, and so do numbers and times, which the voice reads best.
    """

    options_type = CleanOptions
    options: CleanOptions

    async def apply(self, text: Stream[str]) -> Stream[str]:
        """Give the speakable text; plain words pass at once, and to close this closes `text`."""
        cleaner = Cleaner(self.options.emotes, says_domains=self.options.urls == "domain")
        async with aclosing(sliced(text)) as pieces:
            async for piece in pieces:
                if cleaned := cleaner.push(piece):
                    yield cleaned
        if rest := cleaner.finish():
            yield rest
