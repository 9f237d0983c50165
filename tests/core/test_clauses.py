from __future__ import annotations

import random
import re
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxelle.streams import Stream
from voxelle.text import Clause, Cutter, clauses

WORDS = (
    "hello the a of and well Mr. e.g. 3.5 1,000 10 000 etc. J. so, wow! (really?) now; then: "
    "it's — - great. Okay! 2024. chat, stream... raid "
    "http://a.b/c?d in to but love 😀 ».".split()
)
texts = st.lists(st.sampled_from(WORDS), max_size=80).map(" ".join)


def cut(pieces: Iterable[str], first_words: tuple[int, int] = (4, 8)) -> list[str]:
    cutter = Cutter(first_words=first_words)
    found = [clause for piece in pieces for clause in cutter.push(piece)]
    return [clause.text for clause in found + cutter.finish()]


def tokens(text: str) -> list[str]:
    """Pieces like those of a language model: a space, then a word or a mark."""
    return re.findall(r"\s?[^\s,.!?;:]+(?:[.,:?/]+[^\s,.!?;:\"]+)*|[,.!?;:]+\"?|\s", text)


def first_after(pieces: list[str]) -> int:
    """How many pieces it takes until the first clause comes."""
    cutter = Cutter()
    return next(number for number, piece in enumerate(pieces, 1) if cutter.push(piece))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi! How are you? Fine.", ["Hi!", "How are you?", "Fine."]),
        ("Ask Mr. Smith. He knows.", ["Ask Mr. Smith.", "He knows."]),
        ("It costs 3.5 dollars. Cheap!", ["It costs 3.5 dollars.", "Cheap!"]),
        ("There were 1,000 of them, really.", ["There were 1,000 of them,", "really."]),
        ("It was in 2024. Then it ended.", ["It was in 2024.", "Then it ended."]),
        ("3. Apples are red. Yes.", ["3. Apples are red.", "Yes."]),
        ("By J. R. Tolkien. Nice.", ["By J. R. Tolkien.", "Nice."]),
        ("Cats, dogs, etc. and me. Bye.", ["Cats, dogs, etc. and me.", "Bye."]),
        ("Cats, dogs, etc. And me.", ["Cats, dogs, etc.", "And me."]),
        ("Well... maybe not. Hm.", ["Well... maybe not.", "Hm."]),
        ("Well... Maybe not.", ["Well...", "Maybe not."]),
        ('She said "no." Then she left.', ['She said "no."', "Then she left."]),
        ("See example.com now. Done.", ["See example.com now.", "Done."]),
        ("Look at https://a.b/c?d=e now. Done.", ["Look at https://a.b/c?d=e now.", "Done."]),
        ("one\ntwo\n\nthree", ["one", "two", "three"]),
        ("今日は良い天気です。散歩しましょう！", ["今日は良い天気です。", "散歩しましょう！"]),
        ("今日は良い天気です、散歩しましょう", ["今日は良い天気です、", "散歩しましょう"]),
        ("wow great 😀 !", ["wow great 😀!"]),
        ("   ", []),
        ("!?", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert cut([text]) == expected
    assert cut(tokens(text)) == expected


def test_first_clause_comes_with_the_comma_behind_the_fourth_word() -> None:
    assert first_after(["Well", " I", " think", " so", ",", " and", " more"]) == 5
    assert first_after(["Well ", "I ", "think ", "so, ", "and ", "more "]) == 4
    assert first_after(["Well", ",", " I", " think", " so", " —", " and"]) == 6


def test_first_clause_without_comma_comes_by_the_ninth_word() -> None:
    leading = [
        " " + word for word in "ones twos threes fours fives sixes sevens eights nines".split()
    ]
    assert first_after(leading) == 9
    assert first_after([word.strip() + " " for word in leading]) == 8


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("I was really hoping that we could go there today", "I was really hoping"),
        ("People like to sing along with the old songs here", "People like to sing along"),
        ("Yesterday everybody here went straight home to the big house", "Yesterday everybody"),
        ("Somebody just won more than exactly 10 000 points today again", "Somebody just won more"),
    ],
)
def test_first_clause_ends_at_a_place_to_breathe(text: str, first: str) -> None:
    assert cut([text])[0].startswith(first)


@given(texts)
def test_first_clause_never_dangles_and_never_splits_a_number(text: str) -> None:
    for clause in cut([text])[:-1]:
        assert not re.search(r"\b(the|a|of|10|Mr\.|e\.g\.)$", clause)


@given(texts)
def test_cut_at_words_the_same_reply_gives_the_same_clauses(text: str) -> None:
    whole = cut([text])
    assert cut(re.findall(r"\s*\S+", text)) == whole
    assert cut(re.findall(r"\S+\s*", text)) == whole
    spoken, written = "".join("".join(whole).split()), "".join(text.split())
    assert written.startswith(spoken)
    assert not any(map(str.isalnum, written[len(spoken) :]))  # only marks without a word are lost


@given(texts, st.integers(0, 1000))
def test_no_word_is_lost_or_changed_wherever_the_pieces_are_cut(text: str, seed: int) -> None:
    chance = random.Random(seed)
    borders = sorted(chance.sample(range(len(text) + 1), min(len(text), 12)))
    pieces = [text[a:b] for a, b in zip([0, *borders], [*borders, len(text)], strict=True)]
    letters = "".join(filter(str.isalnum, text))
    assert "".join(filter(str.isalnum, "".join(cut(pieces)))) == letters


@given(st.text(max_size=300), st.integers(1, 7))
def test_any_text_keeps_its_letters_and_gives_no_empty_clause(text: str, size: int) -> None:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    found = cut(pieces)
    assert all(clause.strip() == clause != "" for clause in found)
    if "[" not in text:
        letters = "".join(filter(str.isalnum, text))
        assert "".join(filter(str.isalnum, "".join(found))) == letters


def test_long_sentences_are_cut_at_their_commas() -> None:
    part = "this part of it has just about ten words here"
    found = cut(["Start. " + ", ".join([part] * 6) + "."])
    assert all(len(clause.split()) <= 40 for clause in found)
    assert all(clause.endswith((",", ".")) for clause in found)
    assert len(found) == 4


def test_text_without_any_mark_is_still_cut() -> None:
    assert max(map(len, cut(["Go. " + "word " * 500]))) <= 210
    assert max(map(len, cut(["x" * 5000]))) <= 400


async def test_closing_the_clauses_closes_the_reply() -> None:
    closed = []

    async def reply() -> Stream[str]:
        try:
            while True:
                yield "Hello there. "
        finally:
            closed.append(True)

    stream = clauses(reply())
    assert await anext(stream) == Clause("Hello there.")
    await stream.aclose()
    assert closed == [True]


@pytest.mark.real_time
def test_a_token_costs_microseconds() -> None:
    pieces = tokens("This is an ordinary sentence, with a few commas, and it ends here. " * 300)
    best = 1.0
    for _ in range(3):
        start = time.perf_counter()
        cut(pieces)
        best = min(best, (time.perf_counter() - start) / len(pieces))
    assert best < 50e-6  # 3 us when nothing else runs; benchmarks/filters.py measures
