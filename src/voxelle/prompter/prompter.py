"""The prompter puts together what the language model is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from voxelle.events import Member
from voxelle.messages import Message
from voxelle.prompter.character import Character, describe, describe_example
from voxelle.prompter.quoting import clean, clean_name
from voxelle.prompter.remarks import RemarkWriter, Shown
from voxelle.prompter.scene import Scene
from voxelle.prompter.settings import LEAST_HISTORY, PrompterSettings
from voxelle.prompter.situation import Context, Remark, Situation
from voxelle.prompter.tokens import MESSAGE_TOKENS, estimate, shorten
from voxelle.utils.exceptions import ConfigurationError

# Not `strftime`: its names depend on the language of the machine.
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = (
    "January February March April May June July August September October November December".split()
)
_ROLES = ("owner", "moderator", "vip", "subscriber", "bot")
_SEPARATOR_TOKENS = 1
"""What an empty line between two blocks may cost."""


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a prompt, for people who want to see what the model sees."""

    name: str
    text: str
    tokens: int
    """Estimated."""

    dropped: int = 0
    """How many items (remarks, contexts, examples, people) did not fit."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is shown; the last message is the user's."""

    messages: tuple[Message, ...]
    blocks: tuple[Block, ...]

    @property
    def tokens(self) -> int:
        """The estimated size of all of it."""
        return sum(block.tokens for block in self.blocks)


class Prompter:
    """Knows a character, a scene and instructions, and composes prompts for situations."""

    def __init__(
        self, character: Character, scene: Scene, instructions: str, settings: PrompterSettings
    ) -> None:
        """Keep what does not change; raise `ConfigurationError` if it leaves no room to talk."""
        self.character = character
        self.settings = settings
        self._writer = RemarkWriter(character.name, settings)
        self._fixed = self._fix(scene, instructions)
        self._fixed_tokens = sum(block.tokens for block in self._fixed) + MESSAGE_TOKENS
        self._room = settings.total_tokens - self._fixed_tokens
        if self._room < LEAST_HISTORY:
            raise ConfigurationError(
                f"character {character.name!r}, scene {scene.name!r} and instructions take "
                f"{self._fixed_tokens} of prompter.total_tokens = {settings.total_tokens}: raise "
                f"it or shorten them, {LEAST_HISTORY} must be left for the conversation"
            )

    def compose(self, situation: Situation) -> Prompt:
        """Write the prompt for a situation: one system message, then one message per remark.

        Remarks are never merged, so each keeps its kind, speaker, words and facts. Of the
        history the newest that fit are kept, and the last remark always. If there is none
        of somebody else's at the end, an idle remark is put there. Neither blocks nor raises.
        """
        spare = self._room - LEAST_HISTORY
        time = self._time(situation.now, spare)
        members = self._members(situation.members, spare - time.tokens)
        contexts = self._contexts(situation.contexts, spare - time.tokens - members.tokens)
        now = [block for block in (contexts, members, time) if block.text or block.dropped]
        left = self._room - sum(block.tokens for block in now)
        shown, history = self._history(situation, min(left, self.settings.history_tokens))
        blocks = (*self._fixed, *now)
        text = "\n\n".join(block.text for block in blocks if block.text)
        system = Message("system", text, "instructions", self.character.name)
        told = (_overhead(), *blocks, history)
        return Prompt((system, *(one.message for one in shown)), told)

    def _fix(self, scene: Scene, instructions: str) -> tuple[Block, ...]:
        settings, name = self.settings, self.character.name
        blocks = [
            self._authored("instructions", instructions, settings.instructions_tokens),
            _block("character", describe(self.character)),
        ]
        examples, used = [f"## Examples of how {name} talks"], 0
        for example in self.character.examples:
            text = describe_example(example, name)
            used += estimate(text) + _SEPARATOR_TOKENS
            if used > settings.examples_tokens:
                break
            examples.append(text)
        kept = len(examples) - 1
        if self.character.examples:
            text = "\n\n".join(examples) if kept else ""
            blocks.append(_block("examples", text, len(self.character.examples) - kept))
        blocks.append(self._authored("scene", scene.text, settings.scene_tokens, "# The scene\n"))
        return tuple(block for block in blocks if block.text or block.dropped)

    def _authored(self, name: str, text: str, budget: int, heading: str = "") -> Block:
        """Fill in the names; what people wrote for this very purpose is never cut silently."""
        text = text.replace("{{char}}", self.character.name).strip()
        block = _block(name, heading + text if text else "")
        if block.tokens > budget:
            raise ConfigurationError(
                f"the {name} take {block.tokens} tokens, but prompter.{name}_tokens = {budget}: "
                "raise it or shorten the file"
            )
        return block

    def _time(self, now: datetime, budget: int) -> Block:
        minute = now.minute - now.minute % self.settings.clock_minutes
        day = f"{_DAYS[now.weekday()]}, {now.day} {_MONTHS[now.month - 1]} {now.year}"
        block = _block("time", f"It is {day}, {now.hour:02d}:{minute:02d}.")
        return block if block.tokens <= budget else Block("time", "", 0, 1)

    def _members(self, members: Sequence[Member], budget: int) -> Block:
        heading = "People who are here: "
        budget = min(budget, self.settings.members_tokens)
        used = estimate(heading) + _SEPARATOR_TOKENS
        told: list[str] = []
        for member in members:
            roles = ", ".join(role for role in _ROLES if role in member.roles)
            name = self._writer.name(member.name)
            text = f"{name} ({roles})" if roles else name
            used += estimate(text) + 1  # the comma
            if used > budget:
                break
            told.append(text)
        text = f"{heading}{', '.join(told)}." if told else ""
        return _block("members", text, len(members) - len(told))

    def _contexts(self, contexts: Sequence[Context], budget: int) -> Block:
        budget = min(budget, self.settings.contexts_tokens)
        told: list[str] = []
        for context in reversed(contexts):
            name = clean_name(context.name, self.settings.name_chars)
            heading = f"## {name}\n"
            rest = budget - estimate(heading) - 3 * _SEPARATOR_TOKENS
            text = shorten(_as_notes(context.text), rest) if rest > 0 else ""
            if not text:
                break
            told.append(heading + text)
            budget -= estimate(told[-1]) + _SEPARATOR_TOKENS
        return _block("contexts", "\n\n".join(reversed(told)), len(contexts) - len(told))

    def _history(self, situation: Situation, budget: int) -> tuple[list[Shown], Block]:
        remarks = situation.remarks
        if not remarks or remarks[-1].is_own:
            remarks = [*remarks, Remark("idle", "", situation.now)]
        shown = [self._writer.show_short(remarks[-1], budget)]
        budget -= shown[0].tokens
        # Where she was stopped before a word was heard, she has said nothing.
        earlier = [one for one in remarks[:-1] if not one.is_own or one.text.strip()]
        for remark in reversed(earlier):
            one = self._writer.show(remark)
            budget -= one.tokens
            if budget < 0:
                break
            shown.append(one)
        shown.reverse()
        text = "\n".join(one.message.text for one in shown)
        tokens = sum(one.tokens for one in shown)
        return shown, Block("history", text, tokens, len(earlier) + 1 - len(shown))


def _block(name: str, text: str, dropped: int = 0) -> Block:
    return Block(name, text, estimate(text) + _SEPARATOR_TOKENS if text else 0, dropped)


def _overhead() -> Block:
    return Block("marks around the system message", "", MESSAGE_TOKENS)


def _as_notes(text: str) -> str:
    """Make a context harmless line by line: it may quote people, or come from a game."""
    lines = (clean(line, 2_000) for line in text[:20_000].splitlines())
    return "\n".join(f"- {line.lstrip('- ')}" for line in lines if line.strip("- "))
