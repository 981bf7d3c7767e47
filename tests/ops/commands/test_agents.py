"""`antiphon agents`: which there are, and what is wrong with their files."""

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from ops import cli, console
from ops.commands.doctor.languages import examine
from ops.people.call import refuse
from ops.people.person import CallError
from ops.stack.agents import list_agents, where_agents_are
from ops.stack.here import Told
from schemas.config.settings import load


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "desk.toml").write_text(
        'name = "front"\nlanguage = "de"\n[llm]\nmodel = "big"\n[voice]\nname = "en_US-joe-medium#1"\n'
    )
    (agents / "sales.toml").write_text("default = true\n")
    monkeypatch.chdir(tmp_path)
    for name, value in {"AGENTS": "agents", "LLM_BASE_URL": "http://127.0.0.1:9/v1", "LLM_MODEL": "small"}.items():
        monkeypatch.setenv(name, value)
    return agents


def said(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["agents", *arguments])


def test_each_with_what_it_speaks_and_thinks_with() -> None:
    """Its own model and voice, else those of the settings; who is had by those that name none, and why."""
    result = said()
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert re.match(r"default +en +small +en_US-joe-medium +built in *$", lines[1])
    assert re.match(r"desk \(front\) +de +big +en_US-joe-medium#1 +agents/desk\.toml *$", lines[2])
    assert re.match(r"sales +en +small +en_US-joe-medium +agents/sales\.toml *$", lines[3])
    assert "who names no agent gets sales (agents/sales.toml: it says `default = true`)" in result.output
    told = json.loads(said("--json").output)
    assert (told["version"], told["source"]) == (1, "agents")
    assert [(one["name"], one["called"], one["default"]) for one in told["agents"]] == [
        ("default", "default", False),
        ("desk", "front", False),
        ("sales", "sales", True),
    ]


def sales() -> tuple[str, str]:
    (row,) = [one for one in json.loads(said("--json").output)["agents"] if one["name"] == "sales"]
    return row["model"], row["voice"]


def test_those_beside_us_where_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `antiphon new` writes them."""
    monkeypatch.delenv("AGENTS")
    told = json.loads(said("--json").output)
    assert (told["source"], [one["name"] for one in told["agents"]]) == ("agents", ["default", "desk", "sales"])


def test_who_really_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `up` would have it: a model that no endpoint was named for doesn't; nor does the packaged voice at an endpoint."""
    monkeypatch.delenv("LLM_BASE_URL")
    monkeypatch.setenv("TTS_PROVIDER", "openai")
    assert sales() == ("smollm2-135m-instruct", "alloy")
    monkeypatch.setenv("LLM_PROVIDER", "simulated")
    assert sales() == ("", "alloy")


def test_where_a_stack_runs_it_is_said_which_it_has(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own where this terminal names none; else whether they are the same. Whoever asks for one is told of those."""
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "up").mkdir(parents=True)
    stack = Told(tmp_path / "data" / "up")

    def runs(agents: str) -> None:
        stack.tell({"state": "running", "processes": [], "redis_url": "", "llm_base_url": "", "agents": agents})

    def told() -> tuple[str, str | None, set[str]]:
        found = json.loads(said("--json").output)
        return found["source"], found["stack"], {one["name"] for one in found["agents"]}

    assert told() == ("agents", None, {"default", "desk", "sales"})
    assert "stack" not in said().output
    runs(str(folder))
    assert told() == ("agents", str(folder), {"default", "desk", "sales"})
    assert said().output.splitlines()[-1] == "as the stack that runs here has them"
    other = tmp_path / "other"
    other.mkdir()
    (other / "night.toml").write_text("")
    runs(str(other))
    assert told() == ("agents", str(other), {"default", "desk", "sales"})
    assert f"the stack that runs here has others: AGENTS={other} (" in said().output
    monkeypatch.delenv("AGENTS")
    assert told() == ("other", str(other), {"default", "night"})
    assert f"as the stack that runs here has them: AGENTS={other}\n" in said().output
    assert "those here are default, night" in where_agents_are(load(), "nobody")
    runs("")
    assert told() == ("", "", {"default"})
    assert "as the stack that runs here has them: AGENTS is not set there" in said().output
    stack.take_back()
    assert told() == ("agents", None, {"default", "desk", "sales"})  # those beside us


def test_the_model_is_the_one_that_the_running_stack_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this terminal names no LLM: `LLM_MODEL=theirs antiphon up` ran in another one."""
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "up").mkdir(parents=True)
    stack = Told(tmp_path / "data" / "up")
    stack.tell({"state": "running", "processes": [], "llm_base_url": "http://127.0.0.1:9/v1", "llm_model": "theirs"})
    assert sales()[0] == "small"
    monkeypatch.delenv("LLM_BASE_URL")
    monkeypatch.delenv("LLM_MODEL")
    assert sales()[0] == "theirs"
    stack.take_back()
    assert sales()[0] == "smollm2-135m-instruct"


def test_nothing_is_cut_in_a_pipe_and_no_agents_name_in_a_narrow_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is cut there are models and voices: the names of an agent and of its file are what one types or opens."""
    name = "a-desk-with-a-long-name"
    (folder / f"{name}.toml").write_text('[llm]\nmodel = "a-model-whose-name-is-longer-than-others"\n')
    assert f"{name}  en    a-model-whose-name-is-longer-than-others" in said().output
    monkeypatch.setattr(console, "out", console.terminal(width=80, force_terminal=True, color_system=None))
    list_agents(load(), json=False)
    line = next(line for line in capsys.readouterr().out.splitlines() if name in line)
    assert line.startswith(f"{name}  en    a-mo")
    assert line.rstrip().endswith(f"{name}.toml")
    assert "…" in line
    assert len(line) <= 80


def test_every_complaint_by_file_and_line(folder: Path) -> None:
    """Of all files that are wrong; the others are listed all the same; a script is told by the exit code. doctor says as much."""
    (folder / "bad.toml").write_text("greeting = 3\nlanguag = 'de'\n")
    (folder / "worse.toml").write_text('[stt]\nprovider = "nobody"\n')
    (folder / "worst.toml").write_text('[stt]\nmodel = "small.en"\n[voice]\nname = "nobody"\n')
    result = said()
    assert result.exit_code == 1
    for complaint in (
        'worst.toml, line 2: stt.model = "small.en"',
        "worst.toml, line 4: ",
        "bad.toml, line 1: greeting = 3",
        'bad.toml, line 2: unknown key "languag"',
        "worse.toml, line 2: stt.",
    ):
        assert complaint in result.output
    assert "agents/sales.toml" in result.output
    rows = {one["name"]: one["problems"] for one in json.loads(said("--json").output)["agents"]}
    assert {name: len(problems) for name, problems in rows.items()} == {
        "bad": 2, "default": 0, "desk": 0, "sales": 0, "worse": 1, "worst": 2
    }  # fmt: skip
    findings = json.loads(CliRunner().invoke(cli.app, ["doctor", "--json"]).output)["findings"]
    found = [one["found"] for one in findings if one["check"] == "agents"]
    assert found == [*rows["bad"], *rows["worse"], *rows["worst"]]


def test_scenarios_are_checked_against_their_agent(folder: Path) -> None:
    """What is no scenario, and what asks for a field that the agent has not; what is no TOML is said once."""
    scenarios = folder / "desk" / "scenarios"
    scenarios.mkdir(parents=True)
    (scenarios / "a.toml").write_text('[caller]\ngaol = "x"\n')
    (scenarios / "b.toml").write_text('[caller]\ngoal = "x"\n[expect]\nfields = { guests = 4 }\n')
    (scenarios / "c.toml").write_text('[caller]\ngoal = "x"\n')
    result = said("--json")
    assert result.exit_code == 1
    desk = next(one for one in json.loads(result.output)["agents"] if one["name"] == "desk")
    first, second = desk["problems"]
    assert 'a.toml, line 2: unknown key "gaol"' in first
    assert 'b.toml, line 4: expect.fields: "guests"; front has no [[fields]]' in second


def test_what_changes_little_in_an_agents_language_is_told(folder: Path) -> None:
    """By file and line; the agent is one all the same. doctor warns of it in the same words."""
    (folder / "amt.toml").write_text('language = "de"\n[turn_taking]\nexpects = "yes_no"\n[stt]\ncomplete = true\n')
    result = said()
    assert result.exit_code == 0
    assert 'amt.toml, line 3: expects = "yes_no" knows English answers only; in de it changes nothing' in result.output
    assert "amt.toml, line 5: complete = true can be told of English only" in result.output
    rows = {one["name"]: (one["problems"], one["doubts"]) for one in json.loads(said("--json").output)["agents"]}
    assert {name: (len(problems), len(doubts)) for name, (problems, doubts) in rows.items()} == {
        "amt": (0, 2), "default": (0, 0), "desk": (0, 0), "sales": (0, 0)
    }  # fmt: skip
    findings = examine(load())
    assert [(one.result, one.found) for one in findings if one.check == "agents"] == [
        ("warn", line) for line in rows["amt"][1]
    ]


def test_a_folder_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2: a setting is wrong."""
    monkeypatch.setenv("AGENTS", "nowhere")
    result = said()
    assert (result.exit_code, result.stderr) == (
        2,
        "antiphon: AGENTS=nowhere: no such file or folder; give an agent file, or a folder of them\n",
    )


@pytest.mark.parametrize(
    ("wanted", "says"),
    [("nobody", "those here are default, desk, sales (antiphon agents lists them"), ("desk", "there is one here")],
)
def test_who_calls_an_agent_that_is_not_there_is_told_which_are(
    wanted: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gateway tells strangers no names; who sits at the machine is told what its own files say."""
    with pytest.raises(typer.Exit) as caught:
        refuse(CallError("ws://h/ws: there is no such agent here", "agent"), wanted)
    assert caught.value.exit_code == 2
    told = capsys.readouterr().err.replace("`", "")
    assert re.search(rf"there is no such agent here; {re.escape(says)}".replace("antiphon", r"\S*antiphon"), told)
