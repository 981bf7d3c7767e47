"""The agent file, and what is said about a wrong one."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from schemas.config.agent import AgentSpec, load_agent, parse_agent
from schemas.errors import AgentSpecError

EXAMPLES = Path(__file__).parents[3] / "ops" / "agents"


def error_of(text: str) -> str:
    with pytest.raises(AgentSpecError) as caught:
        parse_agent(text, "my.toml")
    return str(caught.value)


def test_an_empty_file_is_an_agent() -> None:
    """Every setting has a default."""
    assert parse_agent("") == AgentSpec()


def test_a_typo_names_the_line_the_nearest_key_and_all_keys() -> None:
    """An unknown key says where it is, what was probably meant and what is allowed."""
    text = 'name = "x"\n\n[turn_taking]\nbarge_in = true\ncomit_max = 2.0\n'
    message = error_of(text)
    assert message.startswith('my.toml, line 5: unknown key "comit_max" in [turn_taking]; did you mean "commit_max"?')
    assert "Allowed: start_speech, soft_end," in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[turn_taking]\nanswer = "everyone"',
            'line 2: turn_taking.answer = "everyone"; expected one of "anyone", "linked", "addressed"',
        ),
        (
            "[turn_taking]\n# slow\ncommit_max = 60",
            "line 3: turn_taking.commit_max = 60; expected a number from 0.1 to 10",
        ),
        ("[limits]\nidle = 0", "line 2: limits.idle = 0; expected a number above 0 (left out: 600.0)"),
        ("[limits]\nhistory_turns = 1.5", "line 2: limits.history_turns = 1.5; expected a whole number from 1"),
        ("greeting = 5", "line 1: greeting = 5; expected a text in quotes"),
        ("\n[turn_taking]\nbarge_in = 7", "line 3: turn_taking.barge_in = 7; expected true or false (left out: true)"),
        ('voice = "joe"', 'line 1: voice = "joe"; expected a table with the keys name, speed'),
        ("turn_taking.commit_max = 60", "line 1: turn_taking.commit_max = 60; expected a number"),
        ("\nvoice = { name = 'x', speed = 9 }", "line 2: voice.speed = 9; expected a number from 0.5 to 2"),
        ("[llm]\noptions = 3", "line 2: llm.options = 3; expected a table"),
        ('[llm]\nseed = "no"', 'line 2: llm.seed = "no"; expected a whole number (left out: 7)'),
        (
            '[turn_taking]\nbackchannels = [\n  "mhm",\n  3,\n]',
            'line 2: turn_taking.backchannels = 3; expected a list of texts, such as ["one", "two"]',
        ),
        (
            "[turntaking]\ncommit_max = 2",
            'line 1: unknown key "turntaking" in the top of the file; did you mean "turn_taking"?',
        ),
        ("prompt = 'Be brief.'", 'line 1: unknown key "prompt" in the top of the file; did you mean "instructions"?'),
        ("commit_max = 2", 'line 1: unknown key "commit_max" in the top of the file; it belongs in [turn_taking].'),
        ("[limits]\ngreeting = 'Hi'", 'line 2: unknown key "greeting" in [limits]; it belongs at the top of the file'),
        ("[voice]\ncolour = 'red'", 'line 2: unknown key "colour" in [voice]; Allowed: name, speed'),
    ],
)
def test_each_kind_of_mistake_says_line_found_and_allowed(text: str, says: str) -> None:
    """Whatever is wrong: file, line, what was found, what is allowed."""
    assert error_of(text).startswith("my.toml, ")
    assert says in error_of(text)


def test_text_that_looks_like_a_key_does_not_mislead() -> None:
    """A line within a long text is not taken for the setting of that name."""
    text = 'instructions = """\n[voice]\nspeed = 9\n"""\n\n[voice]\nspeed = 9\n'
    assert error_of(text).startswith("my.toml, line 7: voice.speed = 9;")


def test_all_mistakes_are_told_at_once() -> None:
    """Two mistakes are two lines, each with its own place."""
    lines = error_of('naame = "x"\n[voice]\nspeed = 3').splitlines()
    assert sorted(re.findall(r"line (\d)", "".join(lines))) == ["1", "3"]


def test_what_is_no_toml_says_where() -> None:
    """A syntax error keeps its line."""
    assert "my.toml: not TOML: " in error_of("name = \n")
    assert "line 1" in error_of("name = \n")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file, or one in another encoding, is one sentence with its path."""
    with pytest.raises(AgentSpecError, match=r"none\.toml: cannot be read \(No such file"):
        load_agent(tmp_path / "none.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'name = "Zo\xeb"')
    with pytest.raises(AgentSpecError, match=r"latin\.toml: byte 10 is not UTF-8"):
        load_agent(latin)


def test_an_agent_is_called_like_its_file(tmp_path: Path) -> None:
    """Without `name`, or with an empty one, the agent bears its file's name; what the file says wins; a wrong name is refused."""
    file = tmp_path / "front desk.toml"
    for text, name in (("", "front desk"), ('name = ""', "front desk"), ('name = "Zoë"', "Zoë")):
        file.write_text(text, "utf-8")
        assert load_agent(file) == AgentSpec(name=name)
    file.write_text("name = 0", "utf-8")
    with pytest.raises(AgentSpecError, match="name = 0; expected a text"):
        load_agent(file)


def test_the_example_agents_load() -> None:
    """What lies in ops/agents can be used as it is, and the default agent is among them."""
    agents = {path.stem: load_agent(path) for path in EXAMPLES.glob("*.toml")}
    assert {"default", "receptionist"} <= set(agents)
    assert agents["receptionist"].turn_taking.commit_max == 2.0


def test_the_default_file_shows_every_setting_at_its_default() -> None:
    """ops/agents/default.toml is the reference: nothing missing, nothing different."""
    text = (EXAMPLES / "default.toml").read_text("utf-8")
    assert parse_agent(text) == AgentSpec(), "a default has changed: write it into ops/agents/default.toml too"

    def keys(cls: type[BaseModel], table: dict[str, object], at: str = "") -> None:
        assert set(table) == set(cls.model_fields), at
        for name, field in cls.model_fields.items():
            inner = table[name]
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                assert isinstance(inner, dict)
                keys(field.annotation, inner, name)

    keys(AgentSpec, tomllib.loads(text))
