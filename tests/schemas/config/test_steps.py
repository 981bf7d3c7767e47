"""Steps of a conversation, in the agent's file and as one goes from one to the other."""

import pytest

from schemas.config.agent import AgentSpec, parse_agent
from schemas.config.steps import begun, in_step, step_of, within_reach
from schemas.errors import AgentSpecError

FILE = """
first_step = "taking"
voice = { name = "calm" }
[llm]
temperature = 0.2
[[steps]]
name = "paying"
voice = { name = "loud" }
model = "bigger"
to = []
[[steps]]
name = "taking"
temperature = 0.9
to = ["paying"]
[[steps]]
name = "asking"
"""


def _settings(spec: AgentSpec) -> tuple[object, ...]:
    return spec.step, spec.voice.name, spec.llm.model, spec.llm.temperature


def test_a_step_that_is_left_leaves_nothing_behind() -> None:
    """What a step does not say is the agent's, wherever one comes from."""
    spec = begun(parse_agent(FILE))
    assert _settings(spec) == ("taking", "calm", "", 0.9)
    spec = in_step(spec, "paying")
    assert _settings(spec) == ("paying", "loud", "bigger", 0.2)
    assert _settings(in_step(spec, "asking")) == ("asking", "calm", "", 0.2)
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
        ('[[steps]]\nname = "a b"\n', 'agent.toml, line 2: [[steps]], number 1: name = "a b"; expected '),
        (
            '[[steps]]\nname = "a"\n\n[[steps]]\nname = "b"\nvoices = 1\n',
            'line 6: unknown key "voices" in [[steps]], number 2; allowed: name, instructions',
        ),
        ("[[steps]]\ninstructions = 'a'\n", "line 1: [[steps]], number 1: name is missing"),
        (
            "[[steps]]\nname = 'a'\ntemperature = 9\n",
            "line 3: [[steps]], number 1: temperature = 9; expected a number",
        ),
    ],
)
def test_mistakes_are_told(text: str, said: str) -> None:
    """What was found, and what there is."""
    with pytest.raises(AgentSpecError) as error:
        parse_agent(text)
    assert said in str(error.value)
