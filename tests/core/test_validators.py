from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxelle.utils import validators as v
from voxelle.utils.exceptions import ValidationError

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.text()),
)


def test_good_values_are_given_back() -> None:
    assert v.string("  hi\nyou ", "text") == "hi\nyou"
    assert v.integer(3, "count", least=3, most=3) == 3
    assert v.number(2, "gain") == 2.0
    assert v.list_of(["a", "b"], "names", v.string) == ["a", "b"]
    assert v.choice("stop", "policy", {"stop", "duck"}) == "stop"
    assert v.rate(16_000) == 16_000
    assert v.pcm16(bytearray(b"\0\0")) == b"\0\0"
    assert (
        v.url("https://voxelle.example:8443/a?b=c", "page") == "https://voxelle.example:8443/a?b=c"
    )
    assert v.url("ws://127.0.0.1:1", "page", schemes=("ws",), may_be_private=True)


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: v.string(5, "text"), "text must be a text, not int"),
    (lambda: v.string(None, "text"), "text must be a text, not nothing"),
    (lambda: v.string(" ", "text"), "text must have 1 to 4000 characters, not 0"),
    (lambda: v.string("x" * 11, "text", most=10), "text must have 1 to 10 characters, not 11"),
    (lambda: v.string("a\0b", "text"), "text must not hold control characters"),
    (lambda: v.string("a\x85b", "text"), "text must not hold control characters"),
    (lambda: v.string("a\nb", "text", may_break=False), "text must not hold control characters"),
    (lambda: v.string("a\ud800", "text"), "text must be whole Unicode characters"),
    (lambda: v.integer(True, "count"), "count must be a whole number, not bool"),
    (lambda: v.integer(1.0, "count"), "count must be a whole number, not float"),
    (lambda: v.integer(0, "count", least=1), "count must be at least 1, not 0"),
    (lambda: v.number(float("nan"), "gain"), "gain must be a finite number"),
    (lambda: v.number(10**400, "gain"), "gain must be a finite number"),
    (lambda: v.number("1", "gain"), "gain must be a number, not str"),
    (lambda: v.number(7, "gain", most=6), "gain must be at most 6, not 7"),
    (lambda: v.list_of("ab", "names", v.string), "names must be a list, not str"),
    (lambda: v.list_of([1], "names", v.string), r"names\[0\] must be a text, not int"),
    (lambda: v.list_of([""] * 9, "names", v.string, most=8), "names must have 0 to 8 items, not 9"),
    (lambda: v.choice("x", "policy", {"a", "b"}), "policy must be one of a, b, not 'x'"),
    (lambda: v.choice([], "policy", {"a", "b"}), "policy must be one of a, b"),
    (lambda: v.rate(1), "rate must be 8000 to 192000 Hz, not 1 Hz"),
    (lambda: v.rate(44_100, exactly=16_000), "rate must be 16000 Hz, not 44100 Hz"),
    (lambda: v.pcm16("abc"), "audio must be bytes, not str"),
    (lambda: v.pcm16(b"abc"), "audio must be whole samples of two bytes, not 3 bytes"),
    (lambda: v.pcm16(b"ab" * 9, most=8), "audio must have at most 8 bytes, not 18"),
    (lambda: v.url("ftp://a.example", "page"), "page must begin with http:// or https://"),
    (lambda: v.url("https://", "page"), "page must name a host"),
    (lambda: v.url("https://a.example:99999", "page"), "page is no address"),
    (lambda: v.url("https://u:p@a.example", "page"), "page must not hold a user or a password"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "says"), WRONG)
def test_wrong_values_are_told_in_a_sentence(check: Callable[[], object], says: str) -> None:
    with pytest.raises(ValidationError, match=f"^{says}$") as caught:
        check()
    assert str(caught.value).startswith(str(caught.value.context["field"]))


@pytest.mark.parametrize(
    "host",
    [
        *(
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "127.0.0.1",
            "[::1]",
            "10.0.0.1",
            "192.168.1.1",
        ),
        *("169.254.169.254", "[fe80::1]", "0.0.0.0", "[::ffff:127.0.0.1]"),  # noqa: S104 - refused
    ],
)
def test_addresses_of_private_networks_are_refused(host: str) -> None:
    with pytest.raises(ValidationError, match="private network"):
        v.url(f"http://{host}/latest", "page")


def test_sound_becomes_float32_in_the_usual_range() -> None:
    samples = v.audio(np.array([-32768, 0, 16384], np.int16), rate_hz=16_000)
    assert samples.dtype == np.float32
    assert samples.tolist() == [-1.0, 0.0, 0.5]
    assert v.audio(np.zeros(8, np.float64), rate_hz=8_000).dtype == np.float32


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([0.0], "must be an array, not list"),
        (np.zeros((2, 2), np.float32), "must be mono"),
        (np.zeros(2, np.complex64), "must be float32 or int16, not complex64"),
        (np.array([np.nan], np.float32), "no NaN"),
        (np.array([np.inf], np.float64), "no infinity"),
        (np.zeros(32_000, np.float32), "must last 0 to 1 s, not 2 s"),
    ],
)
def test_what_is_no_sound_is_refused(value: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        v.audio(value, rate_hz=16_000, most_s=1)


def test_a_path_stays_inside_its_folder(tmp_path: Path) -> None:
    assert v.path_in("a/b.txt", "file", tmp_path) == tmp_path.resolve() / "a" / "b.txt"
    for name in ("../x", "/etc/passwd", ".", "a/../..", "C:\\x", "a:b", ""):
        with pytest.raises(ValidationError, match=r"^file must"):
            v.path_in(name, "file", tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege there")
def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "out").symlink_to(tmp_path)
    with pytest.raises(ValidationError, match="must stay inside"):
        v.path_in("out/secret", "file", inside)


@given(ANYTHING)
def test_nothing_but_a_validation_error_comes_out(value: object) -> None:
    for check in (v.string, v.integer, v.number, v.url, v.rate, v.pcm16):
        with suppress(ValidationError):
            check(value, "value")
