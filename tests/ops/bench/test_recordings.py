"""What benches speak: which recordings, how many of them, and how far one is told to be."""

from pathlib import Path

import pytest

from ops.bench._recordings import Progress, part_of, script, spread
from ops.replay.settings import agent_file
from schemas.config.agent import AgentSpec, TurnTaking, parse_agent
from schemas.errors import AgentSpecError, AntiphonError


def test_a_few_are_from_everywhere() -> None:
    """Fewer recordings are no other kind of speaker: they are taken from all places alike, and each once."""
    assert spread(range(10), 5) == [0, 2, 4, 6, 8]
    assert spread("abc", 7) == ["a", "b", "c"]
    assert spread("abc", None) == ["a", "b", "c"]


def test_a_half_is_one_of_the_curves() -> None:
    """In the order of all of them, and none of the other's; fewer are of the half."""
    report = [turn.name for turn in script(part="report")]
    assert report
    assert {part_of(name) for name in report} == {"report"}
    assert len({turn.name for turn in script(most=30, part="fit")} - set(report)) == 30


def test_a_folder_without_any_is_a_sentence(tmp_path: Path) -> None:
    """Nothing to speak is told before anything is started."""
    with pytest.raises(AntiphonError, match=r"no \.wav and no \.flac there"):
        script(tmp_path)


def test_one_is_told_how_long_it_takes() -> None:
    """Before it begins, and after each turn; where nobody listens nothing is said."""
    said: list[str] = []
    progress = Progress(20, said.append)
    progress("a line: 500 ms")
    assert said[0] == "20 turns are spoken, and answered, in real time: about 3 min"
    assert said[1].startswith("1 of 20, ")
    assert said[1].endswith("min left  a line: 500 ms")
    Progress(20, None)("a line")


def test_what_is_set_is_an_agent_of_its_own() -> None:
    """A bench of the whole stack runs with another setting by a file that says just that; a wrong one is refused at once."""
    file = agent_file(["turn_taking.waits=0", "turn_taking.regret = 0.3", "instructions=Be brief."])
    rules = TurnTaking(waits=0.0, regret=0.3)
    assert parse_agent(file, called="x") == AgentSpec(name="x", instructions="Be brief.", turn_taking=rules)
    with pytest.raises(AgentSpecError, match="waits"):
        agent_file(["turn_taking.waits=never"])
