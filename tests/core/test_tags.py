from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxelle.text import Clause, Cue, Cutter

KNOWN = frozenset({"happy", "sad", "very happy"})


def read(*pieces: str) -> list[Clause]:
    cutter = Cutter(KNOWN)
    return [clause for piece in pieces for clause in cutter.push(piece)] + cutter.finish()


def test_tag_becomes_a_cue_before_the_word_it_stood_at() -> None:
    assert read("Hello [happy] world.") == [Clause("Hello world.", (Cue("happy", 6),))]
    assert read("[sad]Oh no.") == [Clause("Oh no.", (Cue("sad", 0),))]


@pytest.mark.parametrize("tag", ["[happy]", "[HAPPY]", "[ Happy ]", "[\thappy]"])
def test_tag_is_known_in_any_case_and_spacing(tag: str) -> None:
    assert read(f"Hi {tag} you") == [Clause("Hi you", (Cue("happy", 3),))]


def test_expression_of_two_words_is_known() -> None:
    assert read("Yes [very  happy] indeed.") == [Clause("Yes indeed.", (Cue("very happy", 4),))]


def test_unknown_short_tag_is_dropped_and_other_brackets_keep_their_words() -> None:
    assert read("A [wink] b [1] c.") == [Clause("A b c.")]
    assert read("See [the docs page] now.") == [Clause("See the docs page now.")]
    assert read("Open [the door") == [Clause("Open the door")]


def test_tag_before_a_mark_leaves_no_space() -> None:
    assert read("Great [sad].") == [Clause("Great.", (Cue("sad", 5),))]


def test_tag_at_the_end_comes_in_a_clause_without_text() -> None:
    assert read("Bye! [happy]") == [Clause("Bye!"), Clause("", (Cue("happy", 0),))]
    assert read("[happy][sad]") == [Clause("", (Cue("happy", 0), Cue("sad", 0)))]


def test_tag_between_sentences_belongs_to_the_later_one() -> None:
    found = read("One. [happy] Two. [sad] Three.")
    assert found == [
        Clause("One."),
        Clause("Two.", (Cue("happy", 0),)),
        Clause("Three.", (Cue("sad", 0),)),
    ]


def test_bracket_that_never_closes_holds_back_only_a_little() -> None:
    cutter = Cutter(KNOWN)
    found = cutter.push("[" + "word " * 40 + "end. ")
    assert found


@given(
    st.lists(st.sampled_from(["[happy]", "[sad] ", "one ", "two", ". ", ", ", "[x]"])), st.data()
)
def test_tags_never_depend_on_where_the_pieces_are_cut(
    parts: list[str], data: st.DataObject
) -> None:
    text = "".join(parts)
    at = data.draw(st.integers(0, len(text)))
    cues = [cue.expression for clause in read(text[:at], text[at:]) for cue in clause.cues]
    assert cues == [cue.expression for clause in read(text) for cue in clause.cues]
    assert len(cues) == text.count("[happy]") + text.count("[sad]")


@given(st.text(alphabet="ab [],.hapysd!", max_size=80))
def test_cues_lie_within_their_clause_and_no_tag_is_spoken(text: str) -> None:
    for clause in read(text):
        assert "[" not in clause.text
        assert "]" not in clause.text
        assert all(0 <= cue.at <= len(clause.text) for cue in clause.cues)
        assert [cue.at for cue in clause.cues] == sorted(cue.at for cue in clause.cues)
