"""The simulated LLM by rules: what fits answers, what is wrong with a file is told by line, and the pizzeria's are whole."""

from pathlib import Path
from typing import Any

import pytest

from schemas.config.settings import Settings
from schemas.errors import Permanent, SettingsError
from workers.agents import load as load_code
from workers.providers import ChatRequest
from workers.rehearsed import Answer, Rules, load
from workers.simulated import SimulatedLlm, Simulation

PIZZA = Path(__file__).parents[2] / "ops" / "agents" / "pizza"
RULES = """
[values]
two = 2

[[rule]]
told = "on the phone"
after = "how many"
hears = "(?P<count>one|two)"
call = "order"
arguments = { lines = [{ count = "{count}", note = "{heard}!", size = "{size|large}" }] }

[[rule]]
returned = "order"
result = "number (?P<number>\\\\d+)"
says = "Number {number}."

[[rule]]
hears = "hello"
says = "Hi."
"""


def chat(*said: str, told: str = "You are on the phone.") -> list[dict[str, Any]]:
    """The caller's and the agent's lines, in turn; the caller's is the last."""
    roles = ["user", "assistant"] if len(said) % 2 else ["assistant", "user"]
    lines = [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]
    return [{"role": "system", "content": told}, *lines]


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    (tmp_path / "rules.toml").write_text(RULES)
    return load(tmp_path / "rules.toml")


def test_the_first_that_fits_answers(rules: Rules) -> None:
    """By what is heard now, what was asked before, and what the agent is told; slots are filled, values have their own types."""
    asked = chat("How many?", "Two, please")
    lines = [{"count": 2, "note": "Two, please!", "size": "large"}]
    assert rules.answer(asked, ["order"]) == Answer("", ("order", {"lines": lines}))
    assert rules.answer(asked, []) is None  # the agent does not have the tool
    assert rules.answer(chat("How many?", "Two", told="You write."), ["order"]) is None
    assert rules.answer(chat("HELLO there"), []) == Answer("Hi.")
    assert rules.answer(chat("two"), ["order"]) is None
    assert rules.answer([], []) is None


def test_what_a_tool_returned_is_told(rules: Rules) -> None:
    """By the rules for that tool, and no others."""
    call = {"id": "c1", "type": "function", "function": {"name": "order", "arguments": "{}"}}
    asked = [*chat("hello"), {"role": "assistant", "content": "", "tool_calls": [call]}]
    said = {"role": "tool", "tool_call_id": "c1", "content": "It has number 12."}
    assert rules.answer([*asked, said], ["order"]) == Answer("Number 12.")
    assert rules.answer([*asked, said | {"content": "error"}], ["order"]) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[rule]]\nhears = "("\nsays = "x"\n', "a regular expression that can be read"),
        ('[[rule]]\nhears = "x"\n', "a rule says something, or has a call"),
        ('[[rule]]\nsaid = "x"\n', "said"),
        ("[[rule\n", "not TOML"),
        ("#" * 200_001, "expected at most 200,000"),
    ],
)
def test_a_broken_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    """With its name, before any caller is there."""
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="SIMULATED_LLM_RULES=") as error:
        load(file)
    assert told in str(error.value)
    with pytest.raises(Permanent, match=r"SIMULATED_LLM_RULES=.*nowhere: cannot be read"):
        SimulatedLlm(Settings(), Simulation(llm_rules=tmp_path / "nowhere"))


async def test_the_model_answers_by_them(tmp_path: Path) -> None:
    """Text as text, a call as a call; what no rule fits is answered as without rules."""
    (tmp_path / "rules.toml").write_text(RULES)
    llm = SimulatedLlm(Settings(), Simulation(llm_ms=0, llm_token_ms=0, llm_rules=tmp_path / "rules.toml"))
    tools = [{"type": "function", "function": {"name": "order"}}]

    async def answer(*said: str) -> tuple[str, list[str]]:
        deltas = [delta async for delta in llm.stream(ChatRequest(chat(*said), tools=tools))]
        return "".join(delta.text for delta in deltas), [call.name for delta in deltas for call in delta.calls]

    assert await answer("hello") == ("Hi.", [])
    assert await answer("How many?", "one") == ("", ["order"])
    assert (await answer("something else"))[0].startswith("I heard you say something else.")


def test_the_pizzerias_rules_know_its_tools() -> None:
    """Every tool that a rule calls, or hears of, is one of the agent's, a built-in one, or that of its fields."""
    code = load_code(PIZZA)
    assert code.problem == ""
    named = {name for rule in load(PIZZA / "rehearsal.toml").rule for name in (rule.call, rule.returned) if name}
    assert named == {*code.tools, "transfer", "end_call", "note_field"}
