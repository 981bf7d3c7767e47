"""Which agent a session gets."""

import os
from pathlib import Path

import pytest

from schemas.config.agents import Agents
from schemas.errors import AgentSpecError


def test_agents_of_a_folder_bear_their_files_names(tmp_path: Path) -> None:
    """An agent that is asked for by its file's name, or is the only one there, says that name of itself."""
    (tmp_path / "desk.toml").write_text('greeting = "Good day."')
    for agents in (Agents(tmp_path), Agents(tmp_path / "desk.toml")):
        assert [agents.find(name).name for name in ("desk", "")] == ["desk", "desk"]
        assert agents.names == ["default", "desk"]
        with pytest.raises(AgentSpecError, match="no agent 'front' here; there is default, desk"):
            agents.find("front")
    (tmp_path / "default.toml").write_text("")
    (tmp_path / "late.toml").write_text("")
    several = Agents(tmp_path)
    assert [several.find(name).name for name in ("", "default", "late")] == ["default", "default", "late"]


def test_who_names_no_agent_gets_the_one_that_says_so(tmp_path: Path) -> None:
    """`default = true` comes before default.toml, that before the only file, that before the built-in agent; and which it is
    is told, with the reason."""

    def told(agents: Agents) -> tuple[str, str]:
        return agents.find().name, agents.explain_usual()

    def write(name: str, text: str = "") -> None:
        (tmp_path / f"{name}.toml").write_text(text)

    assert told(Agents()) == ("default", "who names no agent gets the built-in one: AGENTS is not set")
    agents = Agents(tmp_path)
    assert told(agents) == ("default", f"who names no agent gets the built-in one: {tmp_path} holds no agent file")
    write("desk")
    assert told(agents) == ("desk", f"who names no agent gets desk ({tmp_path / 'desk.toml'}: there is no other file)")
    write("sales")
    assert told(agents)[0] == agents.usual == "default"
    assert told(agents)[1].endswith("none of desk.toml, sales.toml is called default.toml or says `default = true`")
    write("default", 'name = "house"')
    assert told(agents) == ("house", f"who names no agent gets default ({tmp_path / 'default.toml'}: for its name)")
    write("sales", "default = true")
    assert told(agents) == (
        "sales",
        f"who names no agent gets sales ({tmp_path / 'sales.toml'}: it says `default = true`)",
    )
    assert agents.usual == "sales"
    assert agents.find("default").name == "house"


def test_two_that_say_so_are_named(tmp_path: Path) -> None:
    """Where two files say `default = true` a start ends with both, by line; while it runs the first of them counts."""
    (tmp_path / "desk.toml").write_text('greeting = "Hello."\ndefault = true\n')
    agents = Agents(tmp_path)
    (tmp_path / "aid.toml").write_text("default = true\n")
    assert agents.find().name == "aid"
    with pytest.raises(
        AgentSpecError, match=r"aid\.toml, line 1: default = true; .* and it stands in .*desk\.toml, line 2, too"
    ):
        Agents(tmp_path)


def test_all_files_that_are_wrong_are_named(tmp_path: Path) -> None:
    """Not only the first; who looks only is told of them beside those that are right."""
    (tmp_path / "aid.toml").write_text("greeting = 3\nlanguag = 'de'\n")
    (tmp_path / "desk.toml").write_text("default = true")
    (tmp_path / "sales.toml").write_text("= 3")
    with pytest.raises(AgentSpecError) as caught:
        Agents(tmp_path)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0].rpartition("/")[2] for line in lines] == [
        "aid.toml, line 1",
        "aid.toml, line 2",
        "sales.toml",
    ]
    agents = Agents(tmp_path, strict=False)
    assert list(agents.problems()) == ["aid", "sales"]
    assert agents.find().name == "desk"
    with pytest.raises(AgentSpecError, match=r"sales\.toml: not TOML"):
        agents.find("sales")


def test_files_are_read_again_while_it_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was changed or added counts for the next session; what has become wrong stays as it was, and is told of once; what is
    gone is gone."""
    desk, late = tmp_path / "desk.toml", tmp_path / "late.toml"
    desk.write_text('greeting = "One."')
    agents = Agents(tmp_path)
    for moment, text in enumerate(('greeting = "Two."', "greeting = 3", "greeting = 3"), start=1):
        desk.write_text(text)
        os.utime(desk, ns=(moment, moment))
        assert agents.find("desk").greeting == "Two."
    assert [record.getMessage() for record in caplog.records] == [
        f"{desk}, line 1: greeting = 3; expected a text in quotes (the last good version stays in use)"
    ]
    late.write_text('greeting = "Late."')
    assert agents.find("late").greeting == "Late."
    late.unlink()
    with pytest.raises(AgentSpecError, match="no agent 'late'"):
        agents.find("late")
