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


def _folder(at: Path, toml: str = "", instructions: str | None = None, code: str | None = None) -> Path:
    at.mkdir(parents=True)
    (at / "agent.toml").write_text(toml)
    if instructions is not None:
        (at / "instructions.md").write_text(instructions)
    if code is not None:
        (at / "agent.py").write_text(code)
    return at


def test_an_agent_is_a_file_or_a_folder(tmp_path: Path) -> None:
    """Beside files there may be folders with an agent.toml: each is an agent by its folder's name, and its folder is known."""
    pizza = _folder(tmp_path / "pizza", 'greeting = "Hello."', "You sell pizza.\n", "")
    _folder(tmp_path / "notes").joinpath("agent.toml").unlink()
    (tmp_path / "desk.toml").write_text("")
    (tmp_path / "house" / "deep").mkdir(parents=True)
    agents = Agents(tmp_path)
    assert agents.names == ["default", "desk", "pizza"]
    assert agents.files == {"desk": tmp_path / "desk.toml", "pizza": pizza / "agent.toml"}
    found = agents.find("pizza")
    assert (found.name, found.greeting, found.instructions) == ("pizza", "Hello.", "You sell pizza.")
    assert (agents.folder("pizza"), agents.folder("desk"), agents.folder("none")) == (pizza, None, None)


def test_agents_may_be_one_folder(tmp_path: Path) -> None:
    """AGENTS may be the folder of one agent, or the file in it: it is called like the folder."""
    pizza = _folder(tmp_path / "pizza", "", "You sell pizza.")
    (pizza / "scenarios").mkdir()
    for source in (pizza, pizza / "agent.toml"):
        agents = Agents(source)
        assert agents.names == ["default", "pizza"]
        assert agents.find().name == "pizza"
        assert agents.folder("pizza") == pizza


def test_a_folder_is_found_by_what_its_agent_is_called(tmp_path: Path) -> None:
    """The log knows an agent by the name its file gives: its folder is found by that, too."""
    pizza = _folder(tmp_path / "pizza", 'name = "Luigi"')
    (tmp_path / "desk.toml").write_text("")
    agents = Agents(tmp_path)
    assert agents.folder("Luigi") == agents.folder("pizza") == pizza


def test_changed_instructions_serve_who_comes_next(tmp_path: Path) -> None:
    """instructions.md is looked at as the agent's file is: written, changed and removed."""
    pizza = _folder(tmp_path / "pizza", 'language = "de"')
    agents = Agents(tmp_path)
    assert agents.find("pizza").instructions.startswith("You are a friendly")
    beside = pizza / "instructions.md"
    for at, text in enumerate(("Sell pizza.", "Sell pasta.")):
        beside.write_text(text)
        os.utime(beside, ns=(at, at))
        assert agents.find("pizza").instructions == text
    beside.unlink()
    assert agents.find("pizza").instructions.startswith("You are a friendly")


def test_instructions_that_are_said_twice_are_told(tmp_path: Path) -> None:
    """Instructions in both files: one sentence that names both, with the line. So are no text, and a long one."""
    pizza = _folder(tmp_path / "pizza", 'greeting = "Hi"\ninstructions = "Sell."\n', "Sell pizza.")
    with pytest.raises(AgentSpecError) as told:
        Agents(tmp_path)
    assert str(told.value) == (
        f"{pizza / 'agent.toml'}, line 2: instructions = …; {pizza / 'instructions.md'} says them, too: keep one of the two"
    )
    (pizza / "agent.toml").write_text("")
    (pizza / "instructions.md").write_bytes(b"Sell \xff")
    assert "byte 5 is not UTF-8" in Agents(tmp_path, strict=False).problems()["pizza"]
    (pizza / "instructions.md").write_text("x" * 200_001)
    assert "200,001 bytes" in Agents(tmp_path, strict=False).problems()["pizza"]


def test_a_file_and_a_folder_of_one_name_are_told(tmp_path: Path) -> None:
    """Of pizza.toml and pizza/agent.toml the folder is had, and both are named."""
    pizza = _folder(tmp_path / "pizza", 'greeting = "folder"')
    (tmp_path / "pizza.toml").write_text('greeting = "file"')
    agents = Agents(tmp_path, strict=False)
    assert agents.find("pizza").greeting == "folder"
    assert str(pizza / "agent.toml") in agents.problems()["pizza"]
