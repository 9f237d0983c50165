"""The text chunks of a PNG picture."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from voxelle.utils.exceptions import ValidationError

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_texts(picture: bytes, most: int) -> dict[str, bytes]:
    """Give the texts of a PNG as {keyword: text}, the first of each keyword.

    Reads tEXt, zTXt and iTXt. Raises `ValidationError` for what is no whole PNG, for a
    wrong checksum, and for a text of over `most` bytes once unpacked.
    """
    texts: dict[str, bytes] = {}
    for kind, data in _chunks(picture):
        keyword, _, rest = data.partition(b"\0")
        if kind == b"tEXt":
            text = rest
        elif kind == b"zTXt":
            text = _unpack(rest[1:], most)
        elif kind == b"iTXt":
            text = _international(rest, most)
        else:
            continue
        if len(text) > most:
            raise ValidationError(f"a text in the picture is larger than {most} bytes")
        texts.setdefault(keyword.decode("latin-1"), text)
    return texts


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not picture.startswith(SIGNATURE):
        raise ValidationError("this is not a PNG picture")
    at = len(SIGNATURE)
    while at + 12 <= len(picture):
        length = int.from_bytes(picture[at : at + 4], "big")
        kind, end = picture[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(picture):
            break
        data = picture[at + 8 : end]
        if zlib.crc32(data, zlib.crc32(kind)) != int.from_bytes(picture[end : end + 4], "big"):
            name = kind.decode("latin-1")
            raise ValidationError(
                f"the picture is damaged: wrong checksum of {name!r} at byte {at}"
            )
        if kind == b"IEND":
            return
        yield kind, data
        at = end + 4
    raise ValidationError(f"the picture ends too early, at byte {len(picture)}; get it again")


def _international(rest: bytes, most: int) -> bytes:
    is_packed, text = rest[:1] == b"\1", rest[2:]
    _language, _, text = text.partition(b"\0")
    _translated, _, text = text.partition(b"\0")
    return _unpack(text, most) if is_packed else text


def _unpack(data: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, most + 1)
    except zlib.error as error:
        raise ValidationError(f"a packed text in the picture is damaged: {error}") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ValidationError(
            f"a packed text in the picture is cut off or larger than {most} bytes"
        )
    return text
