"""Make the weights of the voice detector: `python scripts/make_silero_weights.py [SOURCE]`.

SOURCE is the official `silero_vad_16k_op15.onnx` or a `silero-vad` wheel that holds it; without
it the wheel is fetched with pip (no dependencies, so no torch). With `--golden FILE` the
probabilities that onnxruntime gives for a made-up signal are written, too: the tests compare
our arithmetic with them.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "src" / "voxelle" / "operations" / "vad" / "silero_16k.npz"
RELEASE = "silero-vad==6.2.3"
MODEL = "silero_vad/data/silero_vad_16k_op15.onnx"

NAMES = {
    "stft.forward_basis_buffer": "stft",
    **{
        f"encoder.{n}.reparam_conv.{part}": f"conv{n}.{part}"
        for n in range(4)
        for part in ("weight", "bias")
    },
    **{
        f"decoder.rnn.{part}": f"lstm.{part}"
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    },
    "decoder.decoder.2.weight": "out.weight",
    "decoder.decoder.2.bias": "out.bias",
}
"""How the tensors are called in the model, and in our file."""

Weights = dict[str, NDArray[np.float32]]


def fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Walk over a protobuf message: (field number, number or bytes); see the ONNX schema."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    while at < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            yield number, varint()
            continue
        length = {1: 8, 5: 4}.get(kind) or varint()
        yield number, message[at : at + length]
        at += length


def tensors(graph: memoryview) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Give every initial float tensor of a graph, with its name."""
    for field, message in fields(graph):
        if field == 5 and (tensor := read_tensor(message)) is not None:
            name = next(bytes(value).decode() for number, value in fields(message) if number == 8)
            yield name, tensor


def read_tensor(message: memoryview) -> NDArray[np.float32] | None:
    """Read a float32 tensor; None if it holds something else."""
    parts = list(fields(message))
    if (2, 1) not in parts:
        return None
    raw = next((value for number, value in parts if number in (9, 4)), b"")
    shape = [value for number, value in parts if number == 1]
    return np.frombuffer(raw, dtype="<f4").reshape(shape)


def extract(model: bytes) -> Weights:
    """Give the weights of the 16 kHz model by their names in our file."""
    graph = next(value for number, value in fields(memoryview(model)) if number == 7)
    found: Weights = {}
    for name, tensor in tensors(graph):
        short = name.removeprefix("model.")
        if short in NAMES:
            found[NAMES[short]] = tensor
    if missing := set(NAMES.values()) - set(found):
        raise SystemExit(f"this is not the expected model: it lacks {', '.join(sorted(missing))}")
    return found


def read_source(source: Path) -> bytes:
    """Read the model itself, or take it out of a wheel."""
    if source.suffix != ".whl":
        return source.read_bytes()
    with zipfile.ZipFile(source) as wheel:
        return wheel.read(MODEL)


def fetch() -> bytes:
    """Fetch the wheel of the release these weights come from."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", folder]
        subprocess.run([*command, RELEASE], check=True)
        return read_source(next(Path(folder).glob("*.whl")))


VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))
"""First formants of ah, ee, oo and eh in hertz, of men (Peterson and Barney, 1952)."""


def signal() -> NDArray[np.float32]:
    """Make 8 s of vowels and noise, the same on every machine, at 16 kHz."""
    time = np.arange(8 * 16_000) / 16_000
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.7 * time) + 4 * np.sin(2 * np.pi * 5.1 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / 16_000
    voice = np.zeros_like(time)
    for index, formants in enumerate(VOWELS):
        is_now = (time * 4).astype(int) % len(VOWELS) == index
        for n in range(1, 30):
            loudness = sum(
                np.exp(-(((n * pitch - f) / 120) ** 2)) / (1 + f / 800) for f in formants
            )
            voice += is_now * loudness * np.sin(n * phase)
    syllables = np.abs(np.sin(2 * np.pi * 2 * time)) ** 0.5 * (
        np.sin(2 * np.pi * 0.3 * time) > -0.2
    )
    noise = np.random.Generator(np.random.PCG64(7)).standard_normal(len(time)) * 0.002
    return (0.15 * voice * syllables + noise).astype(np.float32)


def golden(model: bytes) -> list[float]:
    """Give what onnxruntime makes of `signal`, one probability per window of 512 samples."""
    import onnxruntime  # type: ignore[import-untyped]  # has no types; comes with faster-whisper

    session = onnxruntime.InferenceSession(model)
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32)
    given: list[float] = []
    for window in signal().reshape(-1, 512):
        inputs = np.concatenate([context, window[None]], axis=1)
        rate = np.array(16_000, np.int64)
        feeds = {"input": inputs, "state": state, "sr": rate}
        probability, state = session.run(None, feeds)
        context = inputs[:, -64:]
        given.append(round(float(probability[0, 0]), 7))
    return given


def main() -> None:
    """Read the arguments and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", type=Path, help="the model or a wheel with it")
    parser.add_argument("-o", "--output", type=Path, default=TARGET)
    parser.add_argument("--golden", type=Path, help="write onnxruntime's answers here")
    arguments = parser.parse_args()
    model = read_source(arguments.source) if arguments.source else fetch()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **extract(model))
    arguments.output.write_bytes(buffer.getvalue())
    print(f"wrote {arguments.output} ({len(buffer.getvalue())} bytes)")
    if arguments.golden:
        arguments.golden.write_text(json.dumps(golden(model)) + "\n", encoding="utf-8")
        print(f"wrote {arguments.golden}")


if __name__ == "__main__":
    main()
