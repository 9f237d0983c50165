from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxelle.operations.filter_text.actions import is_action
from voxelle.operations.filter_text.clean import EMOTES
from voxelle.operations.filter_text.cleaner import Cleaner


def clean(text: str, *, says_domains: bool = True) -> str:
    cleaner = Cleaner(EMOTES, says_domains=says_domains)
    return cleaner.push(text) + cleaner.finish()


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("# Title\nText", "Title\nText"),
        ("**bold** and __bold__ and ***both***", "bold and bold and both"),
        ("I *really* like _this_", "I really like this"),
        ("~~no~~ yes yay~", "no yes yay"),
        ("- one\n* two\n+ three\n> quoted", "one\ntwo\nthree\nquoted"),
        ("1. four", "1. four"),
        ("Use `print` here", "Use print here"),
        ("So: ```py\nx = 1\n``` done", "So: done"),
        ("See [the docs](https://a.b/c) now", "See the docs now"),
        ("![a cat](http://x.y/z.png)", "a cat"),
        ("Go to https://www.twitch.tv/foo?x=1. Now", "Go to twitch.tv. Now"),
        ("Go to <https://a.b/c> now", "Go to a.b now"),
        ("Hi *waves* you", "Hi you"),
        ("*leans in softly* Hi", "Hi"),
        ("Well *sighs* okay", "Well okay"),
        ("great 😀 day 👩‍👩‍👧‍👦🏳️‍🌈 1️⃣", "great day 1"),
        ("hi :smile: you :)", "hi you "),
        ("<3 you", "you"),
        ("KEKW that was PogChamp", "that was "),
        ("Kappas are sprites", "Kappas are sprites"),
        ("what?!?!?! no!!!! so......", "what?! no! so..."),
        ("<b>bold</b> &amp; <br>new", "bold & new"),
        ("a < b and c > d", "a < b and c > d"),
        ("<think>no one hears it</think>Hello", "Hello"),
        ("<!-- hidden -->Hello", "Hello"),
        ("zero\u200bwidth \u202eturned\x07", "zerowidth turned"),
        ("my_variable_name", "my variable name"),
        ("2*3 is 6 and ~5 are left", "2*3 is 6 and about 5 are left"),
        ("It is 10:30, 3.5 and 1,000", "It is 10:30, 3.5 and 1,000"),
        ("[happy] and [ Sad ] stay", "[happy] and [ Sad ] stay"),
        ("a | b || c", "a b c"),
        ("\\*not bold\\*", "not bold"),
        ("hello <:pog:1234> <@99> you", "hello you"),
        ("one\n\n---\n\ntwo", "one\ntwo"),
    ],
)
def test_what_is_written_becomes_what_is_spoken(written: str, spoken: str) -> None:
    assert clean(written) == spoken


def test_addresses_may_be_dropped() -> None:
    assert clean("Go to https://a.b/c now", says_domains=False) == "Go to now"


@pytest.mark.parametrize("inner", ["waves", "sigh", "giggling", "rolls her eyes", "in a low voice"])
def test_deeds_are_not_spoken(inner: str) -> None:
    assert is_action(inner)


@pytest.mark.parametrize(
    "inner", ["really", "this", "always", "so", "amazing", "delicious", "never!"]
)
def test_stressed_words_are_spoken(inner: str) -> None:
    assert not is_action(inner)


def test_a_mark_at_the_end_of_a_word_is_not_held_back() -> None:
    cleaner = Cleaner(EMOTES, says_domains=True)
    for token in ["Well", ",", " this", ":", " good", "!", " And", " so", ";", " then", "."]:
        assert cleaner.push(token) == token


@given(st.text(max_size=200))
def test_nothing_invisible_and_no_emoji_ever_comes_out(text: str) -> None:
    for character in clean(text):
        assert character not in "\u200b\u200d\ufe0f\u202e\x00\x07"
        assert not 0x1F300 <= ord(character) <= 0x1FAFF


@given(st.text(alphabet="abc de.,?\n", max_size=100))
def test_letters_are_never_lost_from_plain_text(text: str) -> None:
    assert "".join(filter(str.isalpha, clean(text))) == "".join(filter(str.isalpha, text))
