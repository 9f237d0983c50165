from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from voxelle.config import Config, load
from voxelle.config.model import ServerSettings
from voxelle.home import Home
from voxelle.utils.document import MAX_BYTES, MAX_VALUES, parse_document
from voxelle.utils.exceptions import ConfigurationError

GOOD = """\
character: ada
scene: desk
instructions: short
operations:
  - {role: stt, id: openai, api_key: "${EAR_KEY}"}
  - {role: t2t, id: scripted, reply: Hello.}
  - {role: tts, id: espeak, voice: de}
  - {role: tts, id: tone}
  - {role: vad, id: silero}
"""
KEYS = {"EAR_KEY": "ear-key-number-one"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path.resolve())
    for folder in ("characters", "scenes", "instructions"):
        (home.prompts / folder).mkdir(parents=True)
    home.configs.mkdir()
    (home.prompts / "characters" / "ada.yaml").write_text("name: Ada\n", encoding="utf-8")
    (home.prompts / "scenes" / "desk.md").write_text("At a desk.\n", encoding="utf-8")
    (home.prompts / "instructions" / "short.md").write_text("Be short.\n", encoding="utf-8")
    return home


def read(home: Home, text: str, environ: Mapping[str, str] = KEYS) -> Config:
    path = home.configs / "test.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, home, environ)


def mistakes(home: Home, text: str, environ: Mapping[str, str] = KEYS) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(home, text, environ)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("in configs/test.yaml:")
    assert [line.strip() for line in lines[1:]] == caught.value.context["mistakes"]
    return [line.strip() for line in lines[1:]]


def test_a_good_file_becomes_a_config(home: Home) -> None:
    config = read(home, GOOD)
    assert config.character == "ada"
    assert [choice.id for choice in config.choices("tts")] == ["espeak", "tone"]
    assert config.choices("tts")[0].options == {"voice": "de"}
    assert config.choices("stt")[0].options == {"api_key": "ear-key-number-one"}
    assert config.choices("filter_text") == ()
    assert config.server.port == 7272


TEN = """\
character: nobody
scen: desk
instructions: short
operations:
  - {role: stt, id: opnai}
  - {role: t2t, id: openai, temperature: 99, api_key: 12345678}
  - {role: tts, id: espeak, voise: de, rate: fast}
  - {role: vad, id: silero}
  - {role: singer, id: tone}
server: {port: 70000}
conversation: {lead_s: no, endpointing: {cap_s: 77}}
logging: {level: verbose}
"""


def test_all_mistakes_of_a_file_are_told_at_once_with_place_value_and_what_is_allowed(
    home: Home,
) -> None:
    told = mistakes(home, TEN)
    said = "\n".join(told)
    for expected in (
        "configs/test.yaml:1: character: there is no characters/nobody",
        "known: ada",
        "configs/test.yaml:2: scen: is an unknown key; known here: character, scene",
        "did you mean scene?",
        "configs/test.yaml:5: operations[0] (stt opnai).id: no stt provider is called 'opnai'",
        "did you mean 'openai'?",
        "configs/test.yaml:6: operations[1] (t2t openai).temperature = 99: must be less than",
        "configs/test.yaml:6: operations[1] (t2t openai).api_key = (secret): must be a valid",
        "configs/test.yaml:7: operations[2] (tts espeak).voise: is an unknown key",
        "did you mean voice?",
        'configs/test.yaml:7: operations[2] (tts espeak).rate = "fast": must be a valid integer',
        "configs/test.yaml:9: operations[4] (singer tone).role = \"singer\": must be 't2t', 'stt'",
        "configs/test.yaml:10: server.port = 70000: must be less than or equal to 65535",
        "configs/test.yaml:11: conversation.endpointing.cap_s = 77: must be less than or equal",
        "configs/test.yaml:12: logging.level = \"verbose\": must be 'debug', 'info'",
    ):
        assert expected in said
    assert "12345678" not in said
    places = [int(line.split(":")[1]) for line in told if line.count(":") > 1]
    assert places == sorted(places)


def test_ten_mistakes_are_ten_lines(home: Home) -> None:
    options = ", ".join(f"wrong_{number}: {number}" for number in range(10))
    told = mistakes(home, GOOD.replace("voice: de", options))
    assert len(told) == 10


def test_of_thousands_of_mistakes_the_first_twenty_are_told_and_the_rest_is_counted(
    home: Home,
) -> None:
    told = mistakes(home, GOOD + "\n".join(f"k{number}: 1" for number in range(15_000)))
    assert 5 < len(told) <= 21
    assert "k0" in told[0]
    assert told[-1] == f"and {15_000 - len(told) + 1:,} more"
    assert len("\n".join(told)) <= 4_100


def test_a_mistake_with_an_endless_name_is_told_in_one_short_line(home: Home) -> None:
    (told,) = mistakes(home, GOOD + f"? {'x' * 100_000}\n: 1\n")
    assert len(told) <= 700
    assert told.startswith("configs/test.yaml:10: xxx")


def test_missing_keys_and_missing_roles_are_named(home: Home) -> None:
    told = mistakes(home, "operations:\n  - {role: tts, id: tone}\n")
    assert any("character: is missing" in line for line in told)
    assert any("must have an entry for each of: t2t, stt, vad" in line for line in told)
    assert mistakes(home, "") != []


def test_a_key_that_stands_twice_is_refused(home: Home) -> None:
    told = mistakes(home, GOOD + "character: eve\n")
    assert told == ["configs/test.yaml:10: character: stands twice, first in line 1"]
    text = GOOD.replace("voice: de", "voice: de, voice: fr")
    assert mistakes(home, text) == [
        "configs/test.yaml:7: operations[2] (tts espeak).voice: stands twice, first in line 7"
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("character: [ada\nscene: x", r"test.yaml:2:6: is not valid YAML: expected ',' or '\]'"),
        ("character:\tada\n\tscene: x", r"test.yaml:1:11: is not valid YAML"),
        ("- ada", r"test.yaml:1: must be keys and values"),
        ("a: !!python/object/apply:os.system [echo]", "unknown|must|mistake"),
        ("a: *b", "undefined alias"),
        ("a: " + "[" * 5000, "nested too deeply|levels|expected"),
        ("a: " + "[" * 40 + "]" * 40, "levels"),
        ("a: &a [*a]", "levels"),
        ("a: 2020-99-99", "cannot be read as timestamp"),
        ("a: !!int ''", "cannot be read as int"),
        ("a: !!float ''", "cannot be read as float"),
        ("a: !!bool xx", "cannot be read as bool"),
        ("a: !!int '_'", "cannot be read as int"),
        ("server: {port: 0x" + "f" * 9000 + "}", "a number of thousands of digits"),
        ("<<: {a: 1}", "is no plain key"),
        ("[1]: 2", "is no plain key"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_place(home: Home, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        read(home, text)


def test_anchors_cannot_grow_without_bound() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(ConfigurationError, match=f"over {MAX_VALUES} values"):
        parse_document("\n".join(["l0: &l0 [x]", *levels]), "bomb.yaml")
    assert parse_document("a: &a [1, 2]\nb: *a", "fine.yaml").data == {"a": [1, 2], "b": [1, 2]}


def test_a_file_that_cannot_be_read_is_named(home: Home) -> None:
    path = home.configs / "huge.yaml"
    path.write_text("#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigurationError, match=r"huge\.yaml: is larger than 200 kB"):
        load(path, home, {})
    path.write_bytes("character: ada\nscene: caf\xe9".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"huge\.yaml:2: is not UTF-8"):
        load(path, home, {})
    with pytest.raises(ConfigurationError, match=r"none\.yaml: cannot be read"):
        load(home.configs / "none.yaml", home, {})


def test_variables_fill_texts_and_may_have_another_value(home: Home) -> None:
    text = GOOD.replace("voice: de", 'voice: "${VOICE:-fr}"')
    assert read(home, text).choices("tts")[0].options == {"voice": "fr"}
    environ = {**KEYS, "VOICE": "ja"}
    assert read(home, text, environ).choices("tts")[0].options == {"voice": "ja"}
    text = GOOD.replace('"${EAR_KEY}"', '"$${EAR_KEY}"')
    assert read(home, text).choices("stt")[0].options == {"api_key": "${EAR_KEY}"}


def test_variables_come_from_the_env_file_and_what_is_set_outside_wins(home: Home) -> None:
    (home.root / ".env").write_text("EAR_KEY='from the file'\n", encoding="utf-8")
    assert read(home, GOOD, {}).choices("stt")[0].options == {"api_key": "from the file"}
    assert read(home, GOOD).choices("stt")[0].options == {"api_key": "ear-key-number-one"}


def test_a_variable_that_is_not_set_is_named_with_its_place(home: Home) -> None:
    (told,) = mistakes(home, GOOD, {})
    assert told == (
        "configs/test.yaml:5: operations[0] (stt openai).api_key: "
        "the variable EAR_KEY is not set: put it into .env"
    )


def test_the_value_of_a_variable_is_never_shown(home: Home) -> None:
    text = GOOD.replace("voice: de", 'rate: "${EAR_KEY}"')
    (told,) = mistakes(home, text)
    assert "(secret)" in told
    assert "ear-key-number-one" not in told


@pytest.mark.parametrize(
    "options",
    [
        "api_ky: sk-test-1234567890abcdef",
        "api_ky: not-like-a-key-4711",
        "base_url: 'http://u:not-like-a-key-4711@host/v1'",
        "api_key: [not-like-a-key-4711]",
        "api_key: not-like-a-key-4711, model: [], timeout_s: not-like-a-key-4711",
        "headers: {Authorization: 4711}",
        "temperature: 'sk-test-1234567890abcdef'",
        '"${SECRET}": 1',
        'model: [], temperature: "${SECRET}"',
    ],
)
def test_no_secret_is_shown_wherever_it_stands(home: Home, options: str) -> None:
    text = GOOD.replace("t2t, id: scripted, reply: Hello.", "t2t, id: openai, " + options)
    said = "\n".join(mistakes(home, text, {**KEYS, "SECRET": "not-like-a-key-4711"}))
    assert "operations[1] (t2t openai)" in said
    assert "4711" not in said
    assert "sk-test" not in said


def test_an_id_from_a_variable_is_not_shown(home: Home) -> None:
    text = GOOD.replace("t2t, id: scripted", 't2t, id: "${SECRET}"')
    said = "\n".join(mistakes(home, text, {**KEYS, "SECRET": "not-like-a-key-4711"}))
    assert "operations[1] (t2t (secret))" in said
    assert "4711" not in said


def test_a_token_is_not_shown_where_it_stands_a_second_time(home: Home) -> None:
    said = "\n".join(mistakes(home, GOOD + "server: {token: a-tok-4711, port: a-tok-4711}\n"))
    assert "server.port = (secret)" in said
    assert "4711" not in said


def test_without_a_token_only_this_machine_may_listen(home: Home) -> None:
    text = GOOD + "server: {host: 0.0.0.0}\n"
    (told,) = mistakes(home, text)
    assert "VOXELLE_TOKEN in .env, or listen on 127.0.0.1" in told
    config = read(home, text, {**KEYS, "VOXELLE_TOKEN": "x" * 16})
    assert config.server.token is not None
    (told,) = mistakes(home, text, {**KEYS, "VOXELLE_TOKEN": "too short"})
    assert "at least 16 characters" in told
    assert "too short" not in told.replace("a shorter", "")


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        *[(host, True) for host in ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "LocalHost")],
        *[(host, False) for host in ("0.0.0.0", "::", "192.168.1.2", "stream.example")],  # noqa: S104 - nothing listens
    ],
)
def test_it_is_known_which_hosts_are_this_machine(host: str, is_local: bool) -> None:
    settings = ServerSettings.model_validate({"host": host, "token": "x" * 16})
    assert settings.is_local is is_local


def test_a_config_never_shows_its_secrets(home: Home) -> None:
    config = read(home, GOOD + "server: {token: a-long-enough-token}\n")
    assert "a-long-enough-token" not in repr(config.server)
    assert "a-long-enough-token" not in json.dumps(config.server.model_dump(mode="json"))


def test_every_key_of_every_section_has_a_description() -> None:
    def check(model: type, place: str) -> None:
        for name, field in model.model_fields.items():  # type: ignore[attr-defined] # pydantic
            assert field.description, f"{place}.{name}"
            if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
                check(field.annotation, f"{place}.{name}")

    check(Config, "config")
