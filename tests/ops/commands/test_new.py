"""`antiphon new`, and what `antiphon agents` finds beside agent.toml."""

import ast
import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops import cli
from ops.bench._turns import talk
from ops.commands._developing import Conversations, Files, follow
from schemas.config.agents import Agents
from schemas.config.settings import load
from schemas.log import MemoryBus


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGENTS", raising=False)
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("LLM_MODEL", "small")


def said(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


def test_a_new_agent_works() -> None:
    """All its files are right as they are written, and every name in them is its own."""
    result = said("new", "pizza", "--json")
    assert result.exit_code == 0
    told = json.loads(result.output.splitlines()[-1])
    assert (told["version"], told["folder"]) == (1, "agents/pizza")
    assert [Path(path).name for path in told["files"]] == ["agent.py", "agent.toml", "instructions.md", "first.toml"]
    found = Agents(Path("agents")).find("pizza")
    assert found.instructions.startswith("You are pizza")
    assert "{{caller.name" in found.greeting
    ast.parse(Path("agents/pizza/agent.py").read_text())
    assert "NAME" not in "".join(Path(path).read_text() for path in told["files"])
    listed = CliRunner(env={"AGENTS": "agents"}).invoke(cli.app, ["agents", "--json"])
    assert listed.exit_code == 0
    [row] = [one for one in json.loads(listed.output)["agents"] if one["name"] == "pizza"]
    assert (row["problems"], row["doubts"]) == ([], [])
    assert "serve it: AGENTS=mine " in said("new", "pasta", "--in", "mine").output


def test_nothing_is_written_over() -> None:
    """A folder or a file of that name is left as it is; so is what can be no name."""
    assert said("new", "pizza").exit_code == 0
    Path("agents/pizza/agent.toml").write_text("# mine")
    again = said("new", "pizza")
    assert again.exit_code == 2
    assert "is there already; nothing was written" in again.output + again.stderr
    assert Path("agents/pizza/agent.toml").read_text() == "# mine"
    Path("agents/desk.toml").write_text("")
    assert said("new", "desk").exit_code == 2
    for name in ("../x", "a b", "", "x" * 65, "-x"):
        assert said("new", "--", name).exit_code == 2
    assert sorted(path.name for path in Path().iterdir()) == ["agents"]


def test_what_is_wrong_beside_an_agent_is_told_with_its_line() -> None:
    """Its code and its scenarios are read, never run; a name that is nearly one that counts is told."""
    assert said("new", "pizza").exit_code == 0
    folder = Path("agents/pizza")
    (folder / "agent.py").write_text("raise SystemExit\n\ndef broken(:\n")
    (folder / "scenarios" / "first.toml").write_text("[caller]\nlines = [\n")
    (folder / "instructions.md").rename(folder / "instruction.md")
    result = CliRunner(env={"AGENTS": "agents"}).invoke(cli.app, ["agents", "--json"])
    assert result.exit_code == 1
    [row] = [one for one in json.loads(result.output)["agents"] if one["name"] == "pizza"]
    code, scenario = row["problems"]
    assert code.startswith("agents/pizza/agent.py, line 3: not Python: ")
    assert scenario.startswith("agents/pizza/scenarios/first.toml")
    assert row["doubts"] == ["agents/pizza/instruction.md: nothing reads it; did you mean instructions.md?"]


def test_who_writes_an_agent_is_told_what_changed() -> None:
    """Which file, which settings, and what is wrong now; what is right counts for the next conversation."""
    assert said("new", "pizza").exit_code == 0
    files = Files(Agents(Path("agents")), "pizza", load())
    assert files.news() == []
    toml = Path("agents/pizza/agent.toml")
    toml.write_text('greeting = "Ciao!"\n')
    first, last = files.news()
    assert first == ("file", "agent.toml changed: greeting", "cyan")
    assert last[1] == "the next conversation has it"
    toml.write_text('greeting = "Ciao!"\nwaiter = 1\n')
    first, wrong = files.news()
    assert (first[1], wrong[0]) == ("agent.toml changed", "wrong")
    assert "agent.toml, line 2" in wrong[1]
    Path("agents/pizza/agent.py").write_text("def x(:")
    assert any(who == "wrong" and "agent.py, line 1" in text for who, text, _ in files.news())


async def test_what_was_over_before_anybody_looked_is_told() -> None:
    """One turn in the terminal takes less than two looks lie apart; replays and what was there before are nobody's news."""
    bus = MemoryBus()
    await talk(bus, "before", 1)
    told = Conversations(bus, "default")
    await told.begin()
    await talk(bus, "short", 1)
    await talk(bus, "fork-short", 1)
    said = [text for _, text, _ in await told.news()]
    assert [text.split()[1] for text in said if text.startswith("──")] == ["short", "short"]
    assert await told.news() == []


async def test_who_follows_its_hint_at_once_is_heard() -> None:
    """A conversation that begins when the hint is printed is told, however long the files took to look at."""
    bus, over, told = MemoryBus(), asyncio.Event(), list[str]()

    def say(_: str, text: str, __: str) -> None:
        told.append(text)
        if "is over" in text:
            over.set()

    def begun() -> None:
        talking.append(asyncio.ensure_future(talk(bus, "at-once", 1)))

    talking: list[asyncio.Task[None]] = []
    following = asyncio.ensure_future(follow(Files(Agents(None), "default", load()), bus, say, begun))
    async with asyncio.timeout(10):
        await over.wait()
    following.cancel()
    assert any(text.startswith("── at-once") for text in told)
