from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxelle.audio import Mark
from voxelle.conversation.script import Line, split_script
from voxelle.text import Clause

TEXT = "one two three four"


def line(
    text: str = TEXT, seconds: float = 2.0, offset: float = 0.0, *, marks: bool = True
) -> Line:
    made = Line(Clause(text), offset=offset, seconds=seconds, is_complete=True)
    words = text.split()
    at = 0
    for index, word in enumerate(words if marks else ()):
        at = text.index(word, at)
        made.note(Mark("word", word, index * seconds / len(words), at))
        at += len(word)
    return made


@pytest.mark.parametrize(
    ("seconds", "heard"),
    [
        (0.0, ""),
        (0.3, ""),
        (0.5, "one"),
        (0.99, "one two"),
        (1.5, "one two three"),
        (1.9, "one two three"),
        (2.0, TEXT),
        (9.0, TEXT),
    ],
)
def test_words_count_as_heard_when_they_were_heard_to_their_end(seconds: float, heard: str) -> None:
    first, rest = split_script([line()], seconds)
    assert first == heard
    assert f"{first} {rest}".strip() == TEXT


def test_without_marks_words_lie_in_proportion_to_their_letters() -> None:
    assert split_script([line("a considerably", 3.0, marks=False)], 0.5) == ("a", "considerably")


def test_line_that_is_not_complete_is_guessed_by_the_usual_pace() -> None:
    begun = Line(Clause("this line is rather long and only begun"), seconds=0.4)
    heard, rest = split_script([begun], 0.4)
    assert heard in ("this", "this line")
    assert rest.endswith("only begun")


def test_nothing_is_heard_after_a_word_that_was_missed() -> None:
    script = [line(), line("five six", 1.0, 2.0), line("seven", 0.5, 3.0)]
    assert split_script(script, 2.6) == ("one two three four five", "six seven")


def test_marks_for_parts_of_words_and_for_phonemes_do_no_harm() -> None:
    made = line("twenty-one dogs", 1.0, marks=False)
    made.note(Mark("word", "twenty", 0.0, 0))
    made.note(Mark("word", "one", 0.3, 7))
    made.note(Mark("word", "dogs", 0.6, 11))
    made.note(Mark("phoneme", "d", 0.61))
    made.note(Mark("word", "nothing", 0.9, 400))
    assert [made.start_of(index) for index in range(3)] == [0.0, 0.6, 1.0]


@given(
    st.lists(st.text("ab cd.,!", min_size=1, max_size=30), max_size=5),
    st.lists(st.floats(0, 60), min_size=2, max_size=2),
)
def test_more_time_never_means_fewer_words_and_none_is_lost(
    texts: list[str], times: list[float]
) -> None:
    script: list[Line] = []
    offset = 0.0
    for text in texts:
        script.append(line(" ".join(text.split()), 1.0, offset))
        offset += 1.0
    everything = " ".join(" ".join(texts).split())
    counts = []
    for seconds in sorted(times):
        heard, rest = split_script(script, seconds)
        assert " ".join(f"{heard} {rest}".split()) == everything
        counts.append(len(heard.split()))
    assert counts == sorted(counts)
