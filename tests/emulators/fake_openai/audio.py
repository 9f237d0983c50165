"""/v1/audio/speech and /v1/audio/transcriptions."""

from __future__ import annotations

import asyncio
import json
import math
import struct
from array import array
from collections.abc import Iterator

from .http import Exchange, error_body
from .pace import send_paced
from .settings import Failure, FakeOpenAISettings

TONE_HZ = 220.0


async def speak(exchange: Exchange, settings: FakeOpenAISettings, failure: Failure | None) -> None:
    """Answer with a beep per word, streamed."""
    asked = exchange.request.json
    model, wanted = str(asked.get("model")), str(asked.get("response_format", "mp3"))
    if settings.models and model not in settings.models:
        await exchange.send_error(404, f"The model `{model}` does not exist", "model_not_found")
    elif wanted not in settings.speech_formats:
        await exchange.send_error(400, f"response_format '{wanted}' is not supported")
    elif failure and failure.trouble == "error":
        await exchange.send_json(error_body(failure.message))
    elif failure and failure.trouble == "garbage":
        await exchange.send(200, b"ID3\x04" + bytes(2_000), "audio/mpeg")
    else:
        sound = _beeps(str(asked.get("input", "")), settings, float(str(asked.get("speed", 1.0))))
        if wanted == "wav":
            sound = _wav_header(len(sound), settings) + sound
        await exchange.start("audio/wav" if wanted == "wav" else "audio/pcm")
        if await send_paced(exchange, _chunks(sound, settings), failure):
            await exchange.end()


async def transcribe(
    exchange: Exchange, settings: FakeOpenAISettings, failure: Failure | None
) -> None:
    """Answer with the scripted transcript, streamed if the request asks for it."""
    form = exchange.request.form
    fields = {name: value.decode() for name, value in form.items() if name != "file"}
    model = fields.get("model", "")
    if "file" not in form:
        await exchange.send_error(400, "no file")
    elif settings.models and model not in settings.models:
        await exchange.send_error(404, f"The model `{model}` does not exist", "model_not_found")
    elif failure and failure.trouble in {"error", "garbage"}:
        body = json.dumps(error_body(failure.message)) if failure.trouble == "error" else "{not"
        await exchange.send(200, body.encode())
    else:
        said = settings.transcript
        text = said(form["file"], fields) if callable(said) else said
        if fields.get("stream") == "true" and settings.may_stream_transcripts:
            await _stream_transcript(exchange, settings, failure, text)
        else:
            await asyncio.sleep(settings.transcription_s)
            await exchange.send_json({"text": text})


async def _stream_transcript(
    exchange: Exchange, settings: FakeOpenAISettings, failure: Failure | None, text: str
) -> None:
    events: list[dict[str, str]] = [
        {"type": "transcript.text.delta", "delta": word if index == 0 else " " + word}
        for index, word in enumerate(text.split())
    ]
    events.append({"type": "transcript.text.done", "text": text})
    word_s = 1 / settings.words_per_s if settings.words_per_s else 0.0
    paced = (
        (settings.transcription_s + index * word_s, f"data: {json.dumps(event)}\n\n".encode())
        for index, event in enumerate(events)
    )
    await exchange.start("text/event-stream")
    if await send_paced(exchange, paced, failure):
        await exchange.end()


def _beeps(line: str, settings: FakeOpenAISettings, speed: float) -> bytes:
    per_word = round(settings.speech_word_s * settings.speech_rate / speed)
    turn = 2 * math.pi * TONE_HZ / settings.speech_rate
    word = [
        round(8_000 * math.sin(turn * index) * math.sin(math.pi * index / per_word))
        for index in range(per_word)
    ]
    samples = array("h", (sample for sample in word for _ in range(settings.speech_channels)))
    return samples.tobytes() * len(line.split())


def _chunks(sound: bytes, settings: FakeOpenAISettings) -> Iterator[tuple[float, bytes]]:
    per_second = settings.speech_rate * settings.speech_channels * 2
    for begin in range(0, len(sound), settings.speech_chunk_bytes):
        at = settings.speech_first_byte_s + begin / per_second * settings.speech_factor
        yield at, sound[begin : begin + settings.speech_chunk_bytes]


def _wav_header(size: int, settings: FakeOpenAISettings) -> bytes:
    data = {"true": size, "zero": 0, "unknown": 0xFFFFFFFF}[settings.wav_size]
    riff = size + 36 if settings.wav_size == "true" else data
    frame = settings.speech_channels * 2
    rate = settings.speech_rate
    head = struct.pack("<4sI4s", b"RIFF", riff, b"WAVE")
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, settings.speech_channels, rate, rate * frame, frame, 16
    )
    return head + form + struct.pack("<4sI", b"data", data)
