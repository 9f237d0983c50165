"""The inside of a pocketsphinx worker: several decoders, worked in turn by one thread.

What was measured on four recordings of people reading (56 words, see docs/providers): out of
the box, live decoding gets 54 % of the words wrong. With the loudness set to a fixed level, and the
cepstral mean (what the microphone and the room add to everything) taken from the utterance itself,
it is 23 %, no worse than if the whole utterance were known beforehand. That mean is not known
at the beginning: so whenever twice as much was heard as the last time, the mean is taken anew and
the utterance is decoded again from its beginning, which costs the time twice over at most, but is
done while the person speaks. The second pass at the end (fwdflat) is left out: it costs another
0.1 to 0.7 s there.
"""

from __future__ import annotations

import json
import re
import sys
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxelle.operations.stt.pronunciation import guess
from voxelle.processes.serving import Handler, Request, Turn, Work, serve

RATE = 16_000
"""Samples per second."""

SLICE = RATE // 10
"""Samples decoded in one turn, 0.1 s, in about 20 ms."""

FIRST_LOOK = RATE // 2
"""Samples after which the loudness and the cepstral mean are first taken."""

LAST_LOOK = 4 * RATE
"""Samples after which they are not taken again: an utterance that ends just then waits 0.7 s."""

LEVEL = 0.08
"""Root mean square to which the loudness is set; 0.05 and 0.12 are worse by 4 % of the words."""

MAX_GAIN, MIN_GAIN = 10.0, 0.2

SILENCE = 0.0005
"""Root mean square, -66 dB, under which there is nothing to decode."""

TINY = "#JSGF V1.0; grammar tiny; public <tiny> = a;"
"""A grammar that costs nothing to search, for when only the cepstral mean is wanted."""


class Ear:
    """A decoder that hears one utterance at a time."""

    def __init__(self, words: dict[str, str]) -> None:
        from pocketsphinx import Decoder

        self._decoder: Any = Decoder(loglevel="FATAL", samprate=RATE, fwdflat=False)
        self._speech = self._decoder.current_search()
        self._decoder.add_jsgf_string("tiny", TINY)
        for word, phones in words.items():
            self._add(word, phones)
        self._is_listening = False
        self._gain = 1.0

    def begin(self, heard: NDArray[np.int16]) -> None:
        """Begin an utterance, or begin it again, knowing this much of its sound."""
        self.stop()
        level = float(np.sqrt(np.mean(np.square(heard / 32768)))) if len(heard) else 0.0
        self._gain = min(max(LEVEL / max(level, 1e-6), MIN_GAIN), MAX_GAIN)
        # Otherwise the mean would be mixed with that of whoever spoke before.
        self._decoder.reinit_feat()
        self._decoder.activate_search("tiny")
        self._decoder.start_utt()
        self._decoder.process_raw(self._loud(heard), no_search=True, full_utt=True)
        mean = self._decoder.get_cmn(False)
        self._decoder.end_utt()
        self._decoder.activate_search(self._speech)
        self._decoder.set_cmn(mean)
        self._decoder.start_utt()
        self._is_listening = True

    def hear(self, sound: NDArray[np.int16]) -> None:
        """Decode more of the utterance."""
        self._decoder.process_raw(self._loud(sound))

    def finish(self) -> str:
        """End the utterance and give all that was understood."""
        self.stop()
        return self.text()

    def text(self) -> str:
        """Give what was understood so far."""
        hypothesis = self._decoder.hyp()
        # A word with a number is another pronunciation of the same word.
        return re.sub(r"\(\d+\)", "", hypothesis.hypstr).strip() if hypothesis else ""

    def stop(self) -> None:
        """Give the utterance up, or end it."""
        if self._is_listening:
            self._is_listening = False
            self._decoder.end_utt()

    def _loud(self, sound: NDArray[np.int16]) -> bytes:
        loud: NDArray[np.int16] = np.clip(sound * self._gain, -32768, 32767).astype("<i2")
        return loud.tobytes()

    def _add(self, word: str, phones: str) -> None:
        known = self._decoder.lookup_word(word)
        wanted = phones.strip() or known or guess(word)
        if known is None:
            self._decoder.add_word(word, wanted, True)
        elif known != wanted:
            self._decoder.add_word(f"{word}(9)", wanted, True)


class Ears:
    """The decoders there are, made when they are first needed; who finds none waits in line."""

    def __init__(self, words: dict[str, str], most: int) -> None:
        self._words = words
        self._free = [Ear(words)]
        self._may_make = most - 1
        self._line: deque[Request] = deque()

    def take(self, request: Request) -> Ear | None:
        """Take a decoder; None if others come first, and the request will be woken in its turn."""
        if request not in self._line:
            self._line.append(request)
        if self._line[0] is not request or not (self._free or self._may_make):
            return None
        self._line.popleft()
        ear = self._free.pop() if self._free else None
        self._may_make -= ear is None
        self._wake_first()
        return ear or Ear(self._words)

    def give_back(self, ear: Ear) -> None:
        """Give a decoder back, and wake who has waited longest for one."""
        ear.stop()
        self._free.append(ear)
        self._wake_first()

    def leave(self, request: Request) -> None:
        """Leave the line."""
        if request in self._line:
            self._line.remove(request)
            self._wake_first()

    def _wake_first(self) -> None:
        if self._line and (self._free or self._may_make):
            self._line[0].wake()


class Hearing:
    """One utterance on its way through a decoder."""

    def __init__(self, request: Request, ear: Ear) -> None:
        self._request = request
        self._ear = ear
        self._sound = np.zeros(0, np.int16)
        self._known = 0
        self._decoded = 0
        self._told = ""

    def run(self) -> Work:
        """Decode while it arrives, and answer with what is understood."""
        while True:
            is_complete = self._request.is_complete  # before the rest is read: then it is all
            self._take_in()
            if look := self._look(is_complete):
                self._known, self._decoded = look, 0
                self._ear.begin(self._sound[:look])
            behind = len(self._sound) - self._decoded
            if self._known and (behind >= SLICE or (is_complete and behind > 0)):
                self._decode()
                yield Turn.PASS
            elif is_complete:
                break
            else:
                yield Turn.WAIT
        text = self._ear.finish() if self._known else ""
        self._request.answer(text=text, is_final=True)

    def _take_in(self) -> None:
        parts: list[bytes] = []
        while (part := self._request.read()) is not None:
            parts.append(part)
        if parts:
            new = np.frombuffer(b"".join(parts), dtype="<i2")
            self._sound = np.concatenate([self._sound, new])

    def _look(self, is_complete: bool) -> int:
        """Tell how much of the beginning to take the mean of; 0 if that was done, or cannot be.

        It depends on the length alone and not on how the sound arrived, so that the same utterance
        always gives the same words.
        """
        count = len(self._sound)
        look = FIRST_LOOK
        while 2 * look <= min(count, LAST_LOOK):
            look *= 2
        if count < FIRST_LOOK:
            look = count if is_complete else 0
        return look if look > self._known and _level(self._sound[:look]) > SILENCE else 0

    def _decode(self) -> None:
        end = self._decoded + SLICE
        self._ear.hear(self._sound[self._decoded : end])
        self._decoded = min(end, len(self._sound))
        if len(self._sound) - self._decoded >= SLICE:
            return  # on the way to catch up: what is known so far is older than what was told
        text = self._ear.text()
        if text and text != self._told:
            self._told = text
            self._request.answer(text=text, is_final=False)


def _level(sound: NDArray[np.int16]) -> float:
    return float(np.sqrt(np.mean(np.square(sound / 32768))))


def open_handler() -> tuple[Handler, dict[str, object]]:
    """Load the model, with the words that the arguments name."""
    options = json.loads(sys.argv[1])
    ears = Ears(options["words"], options["decoders"])

    def handle(request: Request) -> Work:
        try:
            while (ear := ears.take(request)) is None:
                yield Turn.SLEEP
        finally:
            ears.leave(request)
        try:
            yield from Hearing(request, ear).run()
        finally:
            ears.give_back(ear)

    return handle, {"decoders": options["decoders"]}


if __name__ == "__main__":
    serve(open_handler)
