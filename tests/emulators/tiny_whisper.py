"""A Whisper of random weights that says what it is told, made in half a second.

Its encoder hears with random weights. Its decoder has weights of zero, so that
only the position counts: after the n-th position comes the n-th letter of the
script. So words can be asserted through the real engine without a trained model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import whisper_spec
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

WIDTH = 64
POSITIONS = 448
CERTAIN = 4.0
"""Weight that makes a letter all but certain."""

_SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)


def make_tiny_whisper(folder: Path, says: str = "hello there", *, is_silent: bool = False) -> Path:
    """Write the model into `folder`; with `is_silent` it is sure that nobody spoke.

    `says` may have up to 60 letters. It is English-only, because Whisper tells that
    by the size of the vocabulary.
    """
    folder.mkdir(parents=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    spec = whisper_spec.WhisperSpec(1, 2, 1, 2)
    _fill(spec, np.random.default_rng(0), len(vocabulary))
    _script(spec, tokenizer, says, is_silent=is_silent)
    spec.register_vocabulary([token for token, _ in vocabulary])
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = []
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize(quantization="float32")
    spec.save(str(folder))
    features = {"feature_size": 80, "sampling_rate": 16_000, "hop_length": 160, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps(features), encoding="utf-8")
    return folder


def _tokenizer() -> Tokenizer:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: index for index, letter in enumerate(letters)}
    # Without these, faster-whisper's list of sounds that are not speech forbids every space.
    merges = [("Ġ", "-"), ("Ġ", "'"), ("Ġ", "â")]
    for first, second in merges:
        vocabulary[first + second] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in _SPECIAL])
    times = [f"<|{index * 0.02:.2f}|>" for index in range(1_501)]
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in times])
    return tokenizer


def _fill(spec: Any, random: Any, vocabulary: int) -> None:
    """Give every weight a value: random in the encoder, nothing in the decoder."""
    wide = 4 * WIDTH
    shapes = {
        "conv1": (WIDTH, 80, 3),
        "conv2": (WIDTH, WIDTH, 3),
        "ffn/linear_0": (wide, WIDTH),
        "ffn/linear_1": (WIDTH, wide),
        "self_attention/linear_0": (3 * WIDTH, WIDTH),
        "self_attention/linear_1": (WIDTH, WIDTH),
        "attention/linear_0": (WIDTH, WIDTH),
        "attention/linear_1": (2 * WIDTH, WIDTH),
        "attention/linear_2": (WIDTH, WIDTH),
        "embeddings": (vocabulary, WIDTH),
        "projection": (vocabulary, WIDTH),
    }
    for name, value in spec.variables().items():
        layer, _, kind = name.rpartition("/")
        if value is not None or kind not in {"weight", "gamma", "beta"}:
            continue
        if kind == "weight":
            shape = next(shape for end, shape in shapes.items() if layer.endswith(end))
            scale = 0.1 if name.startswith("encoder") else 0.0
            weight = (random.standard_normal(shape) * scale).astype(np.float32)
            _set(spec, layer, "weight", weight)
            _set(spec, layer, "bias", np.zeros(shape[0], np.float32))
        else:
            _set(spec, layer, kind, np.full(WIDTH, float(kind == "gamma"), np.float32))
    spec.encoder.position_encodings.encodings = np.zeros((1_500, WIDTH), np.float32)


def _script(spec: Any, tokenizer: Tokenizer, says: str, *, is_silent: bool) -> None:
    """Let the n-th position be followed by the n-th letter."""
    where = np.zeros((POSITIONS, WIDTH), np.float32)
    for position in range(POSITIONS):
        where[position, min(position, WIDTH - 1)] = 1.0
    spec.decoder.position_encodings.encodings = where
    follows = np.zeros((tokenizer.get_vocab_size(), WIDTH), np.float32)
    # Position 0 is <|startoftranscript|>, where Whisper also tells whether anybody speaks;
    # position 1 is <|notimestamps|>.
    if is_silent:
        follows[tokenizer.token_to_id("<|nospeech|>"), 0] = CERTAIN
    letters = tokenizer.encode(" " + says, add_special_tokens=False).ids
    for position, letter in enumerate(letters, start=1):
        follows[letter, position] = 0.3 if is_silent else CERTAIN
    follows[tokenizer.token_to_id("<|endoftext|>"), len(letters) + 1 :] = CERTAIN
    spec.decoder.projection.weight = follows


def _set(spec: Any, layer: str, kind: str, value: Any) -> None:
    for part in layer.split("/"):
        # Layers are numbered in names ("layer_0") and listed in the specification.
        name, _, index = part.rpartition("_")
        owner = getattr(spec, name, None) if index.isdigit() else None
        spec = owner[int(index)] if isinstance(owner, list) else getattr(spec, part)
    if hasattr(spec, kind):
        setattr(spec, kind, value)
