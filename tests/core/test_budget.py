"""Prompts never grow over their budget, and the character is always whole."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxelle.events import Member
from voxelle.messages import Kind
from voxelle.prompter.character import Character, Example, describe
from voxelle.prompter.prompter import Prompter
from voxelle.prompter.scene import Scene
from voxelle.prompter.settings import PrompterSettings
from voxelle.prompter.situation import Context, Remark, Situation
from voxelle.prompter.tokens import MESSAGE_TOKENS, estimate, shorten

NOW = datetime(2026, 11, 25, 20, 14)  # noqa: DTZ001 - the local time of the stream
IRIS = Character(
    name="Iris",
    about="You like rain.",
    examples=tuple(Example(they=f"question {n}", she="An answer. " * 20) for n in range(10)),
)
TEXTS = st.one_of(st.text(max_size=300), st.sampled_from(["word " * 400, "😀" * 900, "你好" * 900]))
KINDS: st.SearchStrategy[Kind] = st.sampled_from(["said", "wrote", "event", "direction", "idle"])
MEMBERS = st.builds(
    Member, platform=st.just("t"), id=st.just("1"), name=st.text(min_size=1, max_size=100)
)
REMARKS = st.builds(
    Remark,
    kind=KINDS,
    text=TEXTS,
    at=st.just(NOW),
    member=st.none() | MEMBERS,
    is_own=st.booleans(),
    facts=st.fixed_dictionaries(
        {}, optional={"text": TEXTS, "user": TEXTS, "amount": st.integers(0, 10**9)}
    ),
)
CONTEXTS = st.builds(Context, id=st.just("x"), name=TEXTS, description=st.just(""), text=TEXTS)
SITUATIONS = st.builds(
    Situation,
    remarks=st.lists(REMARKS, max_size=12),
    now=st.just(NOW),
    members=st.lists(MEMBERS, max_size=12),
    contexts=st.lists(CONTEXTS, max_size=4),
)
SETTINGS = st.builds(
    PrompterSettings,
    total_tokens=st.integers(900, 4_000),
    examples_tokens=st.integers(0, 500),
    contexts_tokens=st.integers(0, 1_000),
    members_tokens=st.integers(0, 300),
    history_tokens=st.integers(300, 3_000),
    remark_chars=st.integers(20, 2_000),
)


@settings(deadline=None)
@given(SITUATIONS, SETTINGS)
def test_prompt_never_exceeds_its_budget_and_the_character_is_whole(
    situation: Situation, chosen: PrompterSettings
) -> None:
    prompter = Prompter(IRIS, Scene("x", "An evening."), "Be brief.", chosen)
    prompt = prompter.compose(situation)
    spent = sum(estimate(message.text) + MESSAGE_TOKENS for message in prompt.messages)
    assert spent <= prompt.tokens <= chosen.total_tokens
    blocks = {block.name: block for block in prompt.blocks}
    assert blocks["character"].text == describe(IRIS)
    assert describe(IRIS) in prompt.messages[0].text
    assert blocks["history"].tokens <= chosen.history_tokens
    for name, budget in (("members", chosen.members_tokens), ("contexts", chosen.contexts_tokens)):
        assert name not in blocks or blocks[name].tokens <= budget
    assert prompt.messages[-1].role == "user"
    if situation.remarks and not situation.remarks[-1].is_own:
        assert prompt.messages[-1].kind == situation.remarks[-1].kind


def prompter(**chosen: int) -> Prompter:
    settings_ = PrompterSettings.model_validate(chosen)
    return Prompter(IRIS, Scene("x", "An evening."), "Be brief.", settings_)


def test_oldest_remarks_are_dropped_first_and_counted() -> None:
    ann = Member(platform="t", id="1", name="Ann")
    remarks = [Remark("wrote", f"number {n} " + "word " * 30, NOW, ann) for n in range(50)]
    prompt = prompter(history_tokens=400).compose(Situation(remarks, NOW))
    kept = len(prompt.messages) - 1
    assert 5 < kept < 50
    assert [m.words.split()[1] for m in prompt.messages[1:]] == [
        str(n) for n in range(50 - kept, 50)
    ]
    assert prompt.blocks[-1].dropped == 50 - kept


def test_oldest_contexts_are_dropped_first_and_the_newest_is_shortened() -> None:
    contexts = [Context(str(n), f"Note {n}", "", f"fact {n} " * 60) for n in range(5)]
    prompt = prompter(contexts_tokens=200).compose(Situation([], NOW, contexts=contexts))
    block = next(block for block in prompt.blocks if block.name == "contexts")
    assert "## Note 4" in block.text
    assert "## Note 0" not in block.text
    assert block.dropped > 0
    assert block.tokens <= 200


def test_first_examples_are_kept() -> None:
    block = next(
        b
        for b in prompter(examples_tokens=200).compose(Situation([], NOW)).blocks
        if b.name == "examples"
    )
    assert "question 0" in block.text
    assert "question 9" not in block.text
    assert block.dropped > 0


def test_last_remark_is_shortened_rather_than_dropped() -> None:
    remark = Remark("wrote", "😀" * 1_000, NOW, Member(platform="t", id="1", name="Ann"))
    message = (
        prompter(history_tokens=300, remark_chars=1_000)
        .compose(Situation([remark], NOW))
        .messages[-1]
    )
    assert message.text.startswith("Ann: 😀")
    assert estimate(message.text) < 300


@given(st.text(max_size=200), st.integers(0, 60))
def test_shortened_text_is_a_beginning_that_fits(text: str, tokens: int) -> None:
    short = shorten(text, tokens)
    assert text.startswith(short)
    assert estimate(short) <= tokens


@given(st.text(max_size=200))
def test_estimate_is_never_below_a_token_per_word_or_per_four_bytes(text: str) -> None:
    spaceless = "".join(text.split())
    assert estimate(text) >= len(text.split())
    assert estimate(text) * 4 >= len(spaceless.encode())
    assert estimate(text) <= len(spaceless.encode())


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("cat", 1), ("conversation", 3), ("20:15!", 6), ("你好", 4), ("😀", 3), ("né", 2)],
)
def test_estimate_follows_its_stated_rule(text: str, tokens: int) -> None:
    assert estimate(text) == tokens
