"""What an agent is changed to: by names and values as people type them."""

from pathlib import Path

import pytest

from ops.replay.settings import changed_agent
from schemas.config.agent import AgentSpec
from schemas.errors import AgentSpecError


def test_settings_are_set_by_their_names() -> None:
    """Numbers, switches, lists and texts; and what differs is told."""
    sets = [
        "turn_taking.commit_max=0.9",
        "turn_taking.barge_in = false",
        'turn_taking.backchannels=["ja"]',
        "greeting=Hi, you",
    ]
    agent, changed = changed_agent(AgentSpec(), sets, None, "turns")
    assert (agent.turn_taking.commit_max, agent.turn_taking.barge_in) == (0.9, False)
    assert (agent.turn_taking.backchannels, agent.greeting) == (["ja"], "Hi, you")
    assert changed == {
        "greeting": "Hi, you",
        "turn_taking.commit_max": 0.9,
        "turn_taking.barge_in": False,
        "turn_taking.backchannels": ["ja"],
    }


def test_a_file_gives_what_the_stage_decides_by(tmp_path: Path) -> None:
    """Its model and its name are not tried; what is set by name comes after."""
    path = tmp_path / "patient.toml"
    path.write_text('[turn_taking]\ncommit_max = 2.5\n[llm]\nmodel = "other"\n')
    agent, changed = changed_agent(AgentSpec(), ["turn_taking.commit_min=0.5"], path, "turns")
    assert changed == {"turn_taking.commit_max": 2.5, "turn_taking.commit_min": 0.5}
    assert (agent.name, agent.llm.model) == ("default", "")


def test_nothing_given_changes_nothing() -> None:
    """The same agent, and no setting that differs."""
    assert changed_agent(AgentSpec(), [], None, "turns") == (AgentSpec(), {})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("turn_taking.commit_max", "expected NAME=VALUE"),
        ("=3", "expected NAME=VALUE"),
        ("llm.model=other", "llm.model is none of the settings by which --stage turns decides"),
        ("turn_taking.end_silence=0.9", 'unknown key "end_silence" in [turn_taking]'),
        ("turn_taking.commit_max=soon", "turn_taking.commit_max"),
        ("turn_taking.commit_max=99", "turn_taking.commit_max"),
        ("turn_taking.commit_max.x=1", "turn_taking.commit_max"),
        ("turn_taking=1", "turn_taking"),
    ],
)
def test_a_setting_that_is_none_is_one_sentence(given: str, says: str) -> None:
    """It names the setting, and what there is."""
    with pytest.raises(AgentSpecError) as error:
        changed_agent(AgentSpec(), [given], None, "turns")
    assert says in str(error.value)
    assert "\n" not in str(error.value)
