from __future__ import annotations

from voxelle.operations.registry import Choice
from voxelle.operations.stt.manager import STTManager
from voxelle.server.vocabulary import listening_for

REGISTRY = STTManager.registry


def words(choice: Choice, name: str) -> object:
    return listening_for(choice, name, REGISTRY).options.get("words")


def test_ear_with_a_dictionary_learns_the_words_of_the_name() -> None:
    assert words(Choice(id="pocketsphinx"), "Captain Zorblax") == {
        "captain": "",
        "zorblax": "",
        "voxelle": "V AA K S EH L",
    }
    choice = listening_for(Choice(id="pocketsphinx"), "Captain Zorblax", REGISTRY)
    assert REGISTRY.create(choice).options.words["zorblax"] == ""


def test_known_pronunciation_is_kept_and_names_without_latin_letters_do_no_harm() -> None:
    known = {"voxelle": "V AA K S EH L"}
    assert words(Choice(id="pocketsphinx"), "Voxelle") == known
    assert words(Choice(id="pocketsphinx"), "音声") == known


def test_ear_that_takes_hints_gets_the_whole_name() -> None:
    assert words(Choice(id="openai"), "Captain Zorblax") == ("Captain Zorblax",)


def test_words_of_the_config_and_ears_without_words_stay_as_they_are() -> None:
    chosen = Choice.model_validate({"id": "openai", "words": ["dragon"]})
    assert listening_for(chosen, "Zorblax", REGISTRY) is chosen
    for name in ("scripted", "nobody knows this one"):
        choice = Choice(id=name)
        assert listening_for(choice, "Zorblax", REGISTRY) is choice
