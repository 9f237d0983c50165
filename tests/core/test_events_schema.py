from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from voxelle.events import (
    AudioReceived,
    AudioSpoken,
    Notice,
    Request,
    Silence,
    TurnEnded,
    decode_notice,
    decode_request,
    encode,
)

ROOT = Path(__file__).parent.parent.parent
KINDS = [*get_args(get_args(Request)[0]), *get_args(get_args(Notice)[0])]


def test_the_schema_on_file_is_current() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "make_schema.py"), "--check"]
    outcome = subprocess.run(command, check=False)  # noqa: S603 - our own script
    assert outcome.returncode == 0, "run: python scripts/make_schema.py"


@pytest.mark.parametrize("kind", KINDS)
def test_the_protocol_page_and_the_schema_name_every_event(kind: type[Silence]) -> None:
    name = kind.model_fields["type"].default
    assert f"`{name}`" in (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    schema = json.loads((ROOT / "docs" / "protocol.schema.json").read_text(encoding="utf-8"))
    assert schema["$defs"][kind.__name__]["properties"]["type"]["const"] == name


def test_an_event_survives_the_wire_with_its_sound() -> None:
    heard = AudioReceived(member="ann", start=1.5, payload=b"\n\x00\n\n")
    assert decode_request(encode(heard)) == heard
    spoken = AudioSpoken(turn=1, rate=24_000, start=0.0, payload=bytes(range(256)))
    assert decode_notice(encode(spoken)) == spoken


def test_a_line_without_sound_has_no_line_end() -> None:
    assert encode(Silence()) == b'{"type":"silence"}'


def test_sound_inside_the_line_is_refused() -> None:
    with pytest.raises(ValueError, match="payload follows the line"):
        decode_request(b'{"type":"silence","payload":"x"}')


def test_a_reader_skips_what_a_newer_core_tells_besides() -> None:
    message = b'{"type":"turn_ended","turn":1,"reason":"finished","heard":"a","mood":"new"}'
    assert decode_notice(message) == TurnEnded(turn=1, reason="finished", heard="a")
    with pytest.raises(ValueError, match="mood"):
        decode_request(b'{"type":"silence","mood":"new"}')
