"""What people are told about how the server is doing."""

from __future__ import annotations

from voxelle.operations.status import Status
from voxelle.server.readiness import DETAIL_CHARS, Readiness


def test_the_detail_is_one_short_line_however_much_is_wrong() -> None:
    readiness = Readiness(has_rooms=True)
    readiness.notes["config"] = "the old config stays: 9 mistakes in x.yaml:\n" + "bad\n" * 9_000
    readiness.notes["t2t"] = "offline demo mind"
    detail = readiness.detail
    assert detail.startswith("offline demo mind; the old config stays: 9 mistakes in x.yaml: bad")
    assert detail.endswith("(/ready has the rest)")
    assert len(detail) <= DETAIL_CHARS
    assert "\n" not in detail


def test_no_secret_of_an_error_gets_out() -> None:
    readiness = Readiness(has_rooms=True)
    error = "401 for sk-test-1234567890abcdef at http://u:word@host/"
    readiness.take(Status("tts", "none", "down", error))
    readiness.take(Status("stt", "spare", "degraded", error))
    assert "sk-test" not in str(readiness)
    assert "word@" not in str(readiness)


def test_a_short_detail_is_told_completely() -> None:
    readiness = Readiness(has_rooms=True, missing={"tts": "no voice"})
    readiness.notes["t2t"] = "offline demo mind"
    assert readiness.detail == "tts: no voice; offline demo mind"
    assert Readiness().detail == ""
