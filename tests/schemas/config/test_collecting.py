"""Fields, results and variants in an agent's file."""

import json
from collections import Counter
from pathlib import Path

import pytest

from schemas.config.agent import load_agent, parse_agent
from schemas.config.agents import Agents
from schemas.errors import AgentSpecError


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[[fields]]\nname = "a"\ntype = "emial"',
            'fields[0].type = "emial"; expected one of "text", "email", "digits"',
        ),
        ('[[fields]]\nname = "A b"', 'fields[0].name = "A b"; expected a name of small letters'),
        ('[[fields]]\nname = "a"\ntipe = "x"', 'unknown key fields[0].tipe; did you mean "type"?'),
        ('[[fields]]\ntype = "text"', "fields[0].name is missing; expected a text"),
        ('[[fields]]\nname = "a"\n[[fields]]\nname = "a"', 'fields: there are two of the name "a"'),
        ('[[fields]]\nname = "a"\ntype = "choice"', 'fields[0]: field "a" is a choice; expected choices'),
        ('[[fields]]\nname = "a"\npattern = "("', "fields[0].pattern: '(' is no regular expression"),
        (
            '[[variants]]\nname = "a"\nshare = 0.5\n[variants.limits]\nturnz = 3',
            'variant "a": unknown key "turnz" in [limits]',
        ),
        ('[[variants]]\nname = "a"\nshare = 0.5\ndefault = true', 'variant "a" sets default'),
        ('[[variants]]\nname = "unchanged"\nshare = 0.5', '"unchanged" is what those get who get none'),
        ('[[variants]]\nname = "a"\nshare = 2', "variants[0].share = 2; expected a number above 0 to 1"),
        (
            '[[variants]]\nname = "a"\nshare = 0.7\n[[variants]]\nname = "b"\nshare = 0.7',
            "variants: their shares are 1.4 together; expected 1 at most",
        ),
        ('[result]\nschema = { type = "array" }', "result.schema: type = 'array'; expected \"object\""),
        ('[result.schema]\ntype = "object"\n"$ref" = "http://x"', "nothing is fetched from elsewhere"),
        ("[memory]\nmax_characters = 5", "memory.max_characters = 5; expected a whole number from 100 to 8000"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    """Where, what was found, what is allowed."""
    with pytest.raises(AgentSpecError) as caught:
        parse_agent(text, "my.toml")
    assert says in str(caught.value)
    assert str(caught.value).startswith("my.toml")


def test_a_schema_lies_beside_the_agent_and_is_read_again(tmp_path: Path) -> None:
    """In the session's log it stands whole; whoever changes the file alone is heard, too."""
    (tmp_path / "desk.toml").write_text('[result]\nschema = "result.json"\n')
    schema = {"type": "object", "properties": {"topic": {"type": "string"}}}
    file = tmp_path / "result.json"
    file.write_text(json.dumps(schema))
    agents = Agents(tmp_path)
    assert agents.find("desk").result.schema == schema
    file.write_text(json.dumps(schema | {"required": ["topic"]}))
    assert agents.find("desk").result.schema["required"] == ["topic"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.json", None, "cannot be read (No such file or directory)"),
        ("bad.json", "{", "is not JSON"),
        ("list.json", "[]", "is no JSON schema; expected an object"),
        ("deep.json", "[" * 100_000, "has 100,000 bytes"),
        ("../x.json", None, "expected the name of a .json file beside the agent's"),
    ],
)
def test_a_schema_that_is_none(tmp_path: Path, name: str, content: str | None, says: str) -> None:
    """Says which file, which line of the agent names it, and what is wrong."""
    if content is not None:
        (tmp_path / name).write_text(content)
    (tmp_path / "desk.toml").write_text(f'greeting = ""\n[result]\nschema = "{name}"\n')
    with pytest.raises(AgentSpecError) as caught:
        load_agent(tmp_path / "desk.toml")
    assert "desk.toml, line 3: result.schema: " in str(caught.value)
    assert says in str(caught.value)


def test_a_caller_gets_the_same_variant_each_time() -> None:
    """By their shares, settings deep inside of tables among them; the rest is as it was."""
    agent = parse_agent(
        'greeting = "Hello."\n[voice]\nname = "joe"\nspeed = 1.5\n'
        '[[variants]]\nname = "short"\nshare = 0.25\ngreeting = "Hi."\n[variants.voice]\nspeed = 1.0\n'
        '[[variants]]\nname = "long"\nshare = 0.25\ngreeting = "A very good day."\n'
    )
    got = {who: agent.chosen(who) for who in (f"caller {number}" for number in range(2_000))}
    counts = Counter(name for _, name in got.values())
    assert counts.keys() == {"short", "long", "unchanged"}
    assert all(
        abs(counts[name] - expected) < 120 for name, expected in (("short", 500), ("long", 500), ("unchanged", 1000))
    )
    for who, (spec, name) in got.items():
        assert agent.chosen(who) == (spec, name)
        assert spec.variants == []
        assert spec.greeting == {"short": "Hi.", "long": "A very good day.", "unchanged": "Hello."}[name]
        assert (spec.voice.name, spec.voice.speed) == ("joe", 1.0 if name == "short" else 1.5)
    plain = parse_agent("")
    assert plain.chosen("ann") == (plain, "")
