"""The safety filter, on harmless made-up words and on the lists that are shipped."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxelle.operations.filter_text.safety import Catch, Gate, SafetyFilter, SafetyOptions
from voxelle.streams import Stream
from voxelle.utils.exceptions import ConfigurationError

SHIPPED = Path(__file__).parents[2] / "configs" / "safety.yaml"
LISTS = r"""
lists:
  - {name: mild, words: [bad, stink*, "*zounds*", assez],
     patterns: ['\bgo (far )?away\b', '\d{3}-\d{4}']}
  - {name: hard, action: stop, words: [villain], encoding: plain}
allow: [stinkhorn*]
"""
INNOCENT = """
Scunthorpe assassin classic cocktail Penistone analysis Dickens shiitake Essex Sussex Middlesex
Massachusetts Lightwater Clitheroe Arsenal bass grass class pass glass mass compass ambassador
embarrass passion assume assist assemble associate assorted bassoon cassette harass canvass
Hancock peacock Babcock shuttlecock cockpit Cockburn cumulative document circumstance cucumber
Matsushita Mishit pushit mishit therapist psychotherapist grape drape scrape title titan institute
constitution competition button butter rebuttal hello shell Shellfish Hitchcock Wang pussycats
swank swanky niggle niggling snigger niggard raccoon cocoon tycoon spick Retardant
""".split()
SENTENCES = [
    "As shown above, pass it on.",
    "I wish it was hit by a class hit, as so many are.",
    "Was s. hit? It is as soon as so, as she said.",
    "The 455 viewers won 5455 points at 5:55, and 1455 left.",
    "This hit is a bass hit; push it, Matt, as should be.",
    "A S M R, U S A, A B C and N A S A are as safe as houses.",
    "Let us discuss hitting the mass, as sets go.",
    "It's hot, isn't it? That's a bit chilly.",
    "F un, s hip, as is.",
]


async def opened(path: Path, **options: object) -> SafetyFilter:
    options_ = SafetyOptions.model_validate({"path": str(path), **options})
    return await SafetyFilter(options_).__aenter__()


@pytest.fixture
async def safety(tmp_path: Path) -> SafetyFilter:
    path = tmp_path / "lists.yaml"
    path.write_text(LISTS, encoding="utf-8")
    return await opened(path)


@pytest.fixture
async def shipped() -> SafetyFilter:
    return await opened(SHIPPED)


async def stream(*pieces: str) -> Stream[str]:
    for piece in pieces:
        yield piece


async def said(filter_: SafetyFilter, *pieces: str) -> str:
    return "".join([piece async for piece in filter_.apply(stream(*pieces))])


@pytest.mark.parametrize(
    "spelling",
    [
        "bad", "BAD", "bAd", "b4d", "8ad", "b@d", "b a d", "b  a  d", "B.A.D", "b-a-d", "b_a_d",
        "b*a*d", "baaaad", "bbbaddd", "bаd", "ЬАd", "ｂａｄ", "𝐛𝐚𝐝", "𝖇𝖆𝖉", "ⓑⓐⓓ", "🅱🅰🅳",
        "bád", "b\u0301a\u0308d",
        "b\u200ba\u200bd", "b\u00adad", "ba\u2060d", "b. a. d", "b😀a😀d", "bads", "b.4.d", "βαd",
    ],
)  # fmt: skip
async def test_word_is_found_however_it_is_spelled(safety: SafetyFilter, spelling: str) -> None:
    text = f"So {spelling}, then"
    assert safety.verdict(text).text == "So bleep, then"
    assert await said(safety, *text) == "So bleep, then"
    assert await said(safety, text) == "So bleep, then"


@pytest.mark.parametrize(
    "text", ["badge", "forbad", "abada", "lab ad", "b ad", "ba dog", "b a dog"]
)
async def test_word_within_or_across_other_words_is_innocent(
    safety: SafetyFilter, text: str
) -> None:
    assert safety.verdict(f"my {text} here").is_safe


async def test_stars_choose_endings_and_places(safety: SafetyFilter) -> None:
    assert safety.verdict("stinky stink mystink").text == "bleep bleep mystink"
    assert safety.verdict("gadzounds").text == "gadbleep"
    assert safety.verdict("stinkhorns grow").is_safe
    assert safety.verdict("st1nking").text == "bleep"


async def test_numbers_alone_are_never_words(safety: SafetyFilter) -> None:
    assert safety.verdict("45532 and 84 0 and 8 4 0").is_safe


async def test_patterns_are_found_across_pieces(safety: SafetyFilter) -> None:
    assert await said(safety, "please go", " far aw", "ay now") == "please bleep now"
    assert await said(safety, *"call 555-0199!") == "call bleep!"
    assert safety.verdict("go awayward, go far").is_safe
    assert safety.verdict("ＧＯ   áway").text == "bleep"


async def test_rest_of_a_reply_that_goes_too_far_is_withheld(safety: SafetyFilter) -> None:
    closed = []

    async def endless() -> Stream[str]:
        try:
            while True:
                yield "You vil"
                yield "lain! And more. "
        finally:
            closed.append(True)

    found = "".join([piece async for piece in safety.apply(endless())])
    assert found == "You Hm, let's talk about something else."
    assert closed == [True]


async def test_ordinary_text_is_never_held_back(safety: SafetyFilter) -> None:
    read = []

    async def tokens() -> Stream[str]:
        for token in [
            "Hello",
            " there",
            ",",
            " friend",
            "!",
            " How",
            " is",
            " the",
            " weather",
            "?",
        ]:
            read.append(token)
            yield token

    found = ""
    async for piece in safety.apply(tokens()):
        found += piece
        assert found == "".join(read)


async def test_only_what_may_become_a_word_is_held_back(safety: SafetyFilter) -> None:
    gate = safety._gate()
    assert gate.push("so ba") == "so "
    assert gate.push("n") == "ban"
    assert gate.push(" it") == " it"


async def test_endless_drawing_out_is_caught_and_holds_little(safety: SafetyFilter) -> None:
    gate = safety._gate()
    for _ in range(1_000):
        gate.push("b")
        assert len(gate._held) <= 202


async def test_catches_are_told_without_the_word(
    safety: SafetyFilter, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Catch] = []
    safety.on_catch = told.append
    await said(safety, "so b", "ad")
    assert told == [Catch("mild", "replace", "b…(2)", 3)]
    assert "bad" not in "".join(str(vars(record)) for record in caplog.records)
    assert caplog.records[0].__dict__["category"] == "SECURITY"


async def test_failure_within_a_reply_withholds_the_rest(
    safety: SafetyFilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Gate.push

    def push(gate: Gate, piece: str) -> str:
        if "second" in piece:
            raise RuntimeError("broken")
        return whole(gate, piece)

    monkeypatch.setattr(Gate, "push", push)
    found = await said(safety, "first, ", "second", " and third")
    assert found == "first, Hm, let's talk about something else."


async def test_failing_listener_does_not_let_anything_through(safety: SafetyFilter) -> None:
    def fail(catch: Catch) -> None:
        raise RuntimeError("broken")

    safety.on_catch = fail
    assert await said(safety, "so bad", " it is") == "so bleep it is"


async def test_filter_that_is_not_open_lets_nothing_through() -> None:
    with pytest.raises(ConfigurationError, match="not open"):
        SafetyFilter(SafetyOptions()).verdict("hello")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("lists: [", "is wrong"),
        ("lists: [{name: a, words: [two words]}]", "patterns"),
        ("lists: [{name: a, words: ['*']}]", "two or more"),
        ("lists: [{name: a, wrods: [x]}]", "wrods"),
        ("lists: [{name: a, patterns: ['a)']}]", "without its"),
        ("lists: [{name: a, patterns: ['(a']}]", "without its"),
        ("lists: [{name: a, patterns: ['[a']}]", "without its"),
        ("lists: [{name: a, patterns: ['(?=a)b']}]", "special"),
        ("lists: [{name: a, patterns: ['(a)\\1']}]", "known"),
        ("lists: [{name: a, patterns: ['a*']}]", "nothing"),
        ("lists: [{name: a, patterns: ['a**']}]", "repetition"),
        ("lists: [{name: a, patterns: ['a{5,2}']}]", "repetition"),
        ("lists: [{name: a, patterns: ['((a{99}){99}){99}']}]", "places"),
        ("lists: 3", "lists"),
    ],
)
async def test_broken_lists_keep_it_from_opening(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "lists.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=why):
        await opened(path)


async def test_missing_lists_keep_it_from_opening(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml cannot be read"):
        await opened(tmp_path / "none.yaml")


async def test_path_is_found_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "safety.yaml").write_text(LISTS, encoding="utf-8")
    monkeypatch.setenv("VOXELLE_HOME", str(tmp_path))
    async with SafetyFilter(SafetyOptions(words=("meanie",), stand_in="[beep]")) as safety:
        assert safety.verdict("bad meanie").text == "[beep] [beep]"


@pytest.mark.real_time
async def test_no_pattern_and_no_text_takes_long(tmp_path: Path) -> None:
    path = tmp_path / "lists.yaml"
    path.write_text("lists: [{name: a, patterns: ['(a+)+b', '(x|xx)+y', '.+.+.+c']}]", "utf-8")
    safety = await opened(path)
    start = time.perf_counter()
    safety.verdict("a" * 3_000 + "x" * 3_000)
    assert time.perf_counter() - start < 5  # a backtracking engine needs longer than the universe


@pytest.mark.parametrize("word", INNOCENT)
async def test_innocent_words_pass_the_shipped_lists(shipped: SafetyFilter, word: str) -> None:
    assert shipped.verdict(f"The {word.lower()} and {word}, {word}.").is_safe


@pytest.mark.parametrize("sentence", SENTENCES)
async def test_innocent_sentences_pass_the_shipped_lists(
    shipped: SafetyFilter, sentence: str
) -> None:
    assert shipped.verdict(sentence).is_safe
    assert await said(shipped, *sentence) == sentence


SPELLINGS: list[Callable[[str], str]] = [
    str.upper,
    " ".join,
    ".".join,
    "\u200b".join,
    lambda word: word.replace("i", "1").replace("a", "@").replace("e", "3"),
    lambda word: "".join(letter * 3 for letter in word),
    lambda word: "".join(chr(ord(letter) + 0xFEE0) for letter in word),
    lambda word: word.translate(str.maketrans("aceop", "асеор")),
]


@pytest.mark.parametrize("spell", SPELLINGS)
@pytest.mark.parametrize("hidden", ["fuvg", "ovgpu", "avttre", "snttbg", "shpx", "phag", "juber"])
async def test_shipped_words_are_caught_in_any_spelling(
    shipped: SafetyFilter, hidden: str, spell: Callable[[str], str]
) -> None:
    word = spell(codecs.decode(hidden, "rot13"))
    verdict = shipped.verdict(f"you {word} you")
    assert not verdict.is_safe
    assert word not in verdict.text


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(alphabet="bad. -41а\u200bvilanstkgo wfr5", max_size=60), seed=st.integers(1, 9))
async def test_pieces_make_no_difference_and_no_listed_word_comes_out(
    safety: SafetyFilter, text: str, seed: int
) -> None:
    pieces = [text[at : at + seed] for at in range(0, len(text), seed)]
    verdict = safety.verdict(text)
    assert await said(safety, *pieces) == verdict.text
    assert "bad" not in verdict.text.replace("\u200b", "").split()
    if verdict.is_safe:
        assert verdict.text == text
