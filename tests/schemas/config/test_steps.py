"""Steps of a conversation, in the agent's file and as one goes from one to the other."""

from pathlib import Path

import pytest

from schemas.config.agent import AgentSpec, load_agent, parse_agent
from schemas.config.steps import begun, in_step, step_of, within_reach
from schemas.errors import AgentSpecError

FILE = """
first_step = "taking"
voice = { name = "calm" }
[llm]
temperature = 0.2
[turn_taking]
expects = "yes_no"
[[steps]]
name = "paying"
voice = { name = "loud" }
model = "bigger"
expects = "number"
to = []
[[steps]]
name = "taking"
temperature = 0.9
to = ["paying"]
[[steps]]
name = "asking"
"""


def _settings(spec: AgentSpec) -> tuple[object, ...]:
    return spec.step, spec.voice.name, spec.llm.model, spec.llm.temperature, spec.turn_taking.expects


def test_a_step_that_is_left_leaves_nothing_behind() -> None:
    """What a step does not say is the agent's, wherever one comes from."""
    spec = begun(parse_agent(FILE))
    assert _settings(spec) == ("taking", "calm", "", 0.9, "yes_no")
    spec = in_step(spec, "paying")
    assert _settings(spec) == ("paying", "loud", "bigger", 0.2, "number")
    assert _settings(in_step(spec, "asking")) == ("asking", "calm", "", 0.2, "yes_no")
    assert in_step(spec, "heaven") is spec
    assert begun(spec) is spec


def test_who_goes_where() -> None:
    """`to` says where the LLM may go; left out, anywhere."""
    spec = begun(parse_agent(FILE))
    assert within_reach(spec) == ["paying"]
    assert within_reach(in_step(spec, "paying")) == []
    assert within_reach(in_step(spec, "asking")) == ["paying", "taking"]
    assert within_reach(AgentSpec()) == []
    assert step_of(AgentSpec()) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[steps]]\nname = "a"\n[[steps]]\nname = "a"\n', "two steps are called a"),
        ('[[steps]]\nname = "a"\nto = ["b"]\n', "to = 'b'; there are a"),
        ('first_step = "a"\n', "first_step = 'a'; there are no [[steps]]"),
        ('[[steps]]\nname = "a b"\n', 'agent.toml, line 1: steps[0].name = "a b"; expected a name of letters'),
        (
            '[[steps]]\nname = "a"\n\n[[steps]]\nname = "b"\nvoices = 1\n',
            'unknown key steps[1].voices; did you mean "voice"? Allowed: name, instructions',
        ),
        ("[[steps]]\ninstructions = 'a'\n", "steps[0].name is missing; expected a text"),
        (
            "[[steps]]\nname = 'a'\ntemperature = 9\n",
            "steps[0].temperature = 9; expected a number from 0 to 2",
        ),
        ("[[steps]]\nname = 'a'\nvoice = {nam = 'x'}\n", 'voice.nam; did you mean "name"? Allowed: name, speed'),
    ],
)
def test_mistakes_are_told(text: str, said: str) -> None:
    """What was found, and what there is."""
    with pytest.raises(AgentSpecError) as error:
        parse_agent(text)
    assert said in str(error.value)


def test_values_in_a_steps_instructions_are_looked_at(tmp_path: Path) -> None:
    """As those in the agent's own; what hooks give may have any name."""
    file = tmp_path / "agent.toml"
    file.write_text("[[steps]]\nname = 'a'\ninstructions = '{{values.tier}} {{caller.nummer}}'\n")
    with pytest.raises(AgentSpecError) as error:
        load_agent(file)
    assert "line 3: {{caller.nummer}}: there is no such value; did you mean {{caller.number}}?" in str(error.value)


def test_an_on_idle_that_would_never_be_called_is_told(tmp_path: Path) -> None:
    """There is one silence, and one setting of it."""
    (tmp_path / "agent.toml").write_text("")
    (tmp_path / "agent.py").write_text("def on_idle(context): ...\n")
    with pytest.raises(AgentSpecError, match=r"on_idle, which is called after \[idle\] after seconds of silence"):
        load_agent(tmp_path)
    (tmp_path / "agent.toml").write_text("[idle]\nafter = 8\n")
    assert load_agent(tmp_path).hooked == {"on_idle": "once"}
