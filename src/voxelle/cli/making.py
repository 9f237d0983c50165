"""`voxelle new`: a character of one's own."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pydantic

from voxelle.cli.session import session
from voxelle.home import Home, examples
from voxelle.prompter.cards import MAX_BYTES, read_card
from voxelle.prompter.character import Character, Example, write_character
from voxelle.utils.exceptions import ConfigurationError, ValidationError

_CHARACTER = re.compile(r"^character:.*$", re.MULTILINE)


def new(name: str, card: Path | None, *, is_json: bool) -> None:
    """Write prompts/characters/NAME.yaml and configs/NAME.yaml; nothing is ever replaced.

    With a card, the character is what the card says, under the name given here.
    """
    with session(is_json=is_json) as here:
        character = make_character(name)
        if card is not None:
            character = import_card(card, character.name)
        slug = slug_of(name)
        try:
            paths = _write(here.home, character, slug)
        except FileExistsError as error:
            raise ValidationError(
                f"{error.filename} is there already; take another name, or edit that file"
            ) from error
        except OSError as error:
            raise ConfigurationError(f"{here.home.root} cannot be written to: {error}") from error
        if here.is_json:
            files = [str(path) for path in paths]
            here.answer({"success": True, "character": slug, "files": files})
            return
        for path in paths:
            here.console.print(f"made {path}", markup=False, soft_wrap=True)
        first = "Read" if card is not None else "Write down"
        here.console.print(
            f"{first} who {character.name} is in the first file, then: voxelle run --config {slug}",
            markup=False,
            soft_wrap=True,
        )


def make_character(name: str) -> Character:
    """Give a character that works as it is; raise `ValidationError` if that is no name."""
    try:
        return Character(
            name=name.strip(),
            summary=f"{name.strip()}, a co-host who has yet to be described.",
            about=f"{name.strip()} is the co-host of a live stream. Write here who they are: where "
            "they come from, what they want, and what they think of the streamer.",
            talks="In short, warm sentences, one thought at a time, as people talk.",
            likes=("good questions", "the people in chat"),
            dislikes=("long monologues",),
            quirks=("gives everyday things far too grand names",),
            never=("claim to be human", "read out links or private data"),
            greeting=f"[happy] Hello! I'm {name.strip()}. What did I miss?",
            expressions={
                "happy": "joy and laughter",
                "sad": "sympathy",
                "surprised": "did not see that coming",
            },
            examples=(
                Example(they="hi, first time here!", she="[happy] Welcome! What brings you in?"),
            ),
        )
    except pydantic.ValidationError as error:
        raise ValidationError(
            f"{name[:60]!r} cannot be a name: it begins with a letter or digit, has letters, "
            "digits, spaces and . ' - in it, and at most 60 characters"
        ) from error


def import_card(path: Path, name: str) -> Character:
    """Give the character of a card; raise `ValidationError` for a file that holds none.

    The entries of its lore book become part of what is written about her.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValidationError(f"{path} cannot be read: {error.strerror}") from error
    try:
        card = read_card(data)
    except ValidationError as error:
        raise ValidationError(f"{path}: {error}") from error
    lore = [f"{context.name}: {context.text}" for context in card.contexts]
    about = "\n\n".join(filter(None, [card.character.about, *lore]))
    try:
        return Character.model_validate(
            {**card.character.model_dump(), "name": name, "about": about}
        )
    except pydantic.ValidationError as error:
        raise ValidationError(f"{path}: the card is too long to be shown to a model") from error


def slug_of(name: str) -> str:
    """Give the name of a file for a name: `Lady Ö'Hara` is `lady-o-hara`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:60]
    if not slug:
        raise ValidationError(f"{name[:60]!r} has no letter from a to z for the names of files")
    return slug


def _write(home: Home, character: Character, slug: str) -> tuple[Path, Path]:
    config = home.resolve("configs", f"{slug}.yaml")
    if config.exists():
        raise FileExistsError(17, "is there already", str(config))
    template = home.configs / "default.yaml"
    if not template.is_file():
        template = examples() / "configs" / "default.yaml"
    text = _CHARACTER.sub(f"character: {slug}", template.read_text(encoding="utf-8"), count=1)
    path = write_character(home.prompts / "characters", character, slug)
    with config.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    return path, config
