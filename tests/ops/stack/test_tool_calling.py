"""That an agent's model calls no tools, as `antiphon agents` and `antiphon doctor` tell it."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops import cli
from ops.commands.doctor import tools
from ops.stack import tool_calling
from schemas.config.agent import AgentSpec, LlmSpec, Tools
from schemas.config.settings import Settings, load
from workers.llm.calling import Calling
from workers.providers import Llm

ACTS = AgentSpec(tools=Tools(builtin=["end_call"]))
SPECS = {"acts": ACTS, "other": ACTS.model_copy(update={"llm": LlmSpec(model="other")}), "talks": AgentSpec()}


@pytest.fixture(autouse=True)
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that were asked; of them `able` calls tools, and of `away` nobody knows."""
    found: list[str] = []

    async def calls_tools(llm: Llm, model: str, within: float) -> Calling | None:
        found.append(model)
        return None if model == "away" else Calling(model == "able", "" if model == "able" else "it said “Noon.”")

    monkeypatch.setattr(tool_calling, "calls_tools", calls_tools)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return found


def ask(model: str, url: str | None = "http://me:hidden@127.0.0.1:9/v1", *, anew: bool = False) -> tool_calling.Asked:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    return asyncio.run(tool_calling.ask(settings, SPECS, model, url, anew=anew))


def test_each_model_is_asked_once(asked: list[str], tmp_path: Path) -> None:
    """By those agents that have tools; then what it did is kept, by an address that can't be read from it, until it is asked
    anew."""
    found = ask("able")
    assert asked == ["able", "other"]
    assert (found.told("acts"), found.told("talks")) == ("", "")
    assert found.told("other").startswith(
        "its model other calls no tools (it said “Noon.”), so those of this agent are"
    )
    assert ask("able") == found
    assert asked == ["able", "other"]
    assert ask("able", anew=True) == found
    assert asked == ["able", "other"] * 2
    kept = tmp_path / "data" / "tool-calls.json"
    assert "hidden" not in kept.read_text()
    for damaged in (b"", b"[1]", b'{"x": 5}', b"\xff", kept.read_bytes().replace(b'"at"', b'"when"')):
        kept.write_bytes(damaged)
        assert ask("able") == found
    assert len(asked) == 14


def test_what_nobody_knows_is_not_told(asked: list[str]) -> None:
    """An endpoint that is away, or none that runs: it is asked again the next time."""
    assert ask("away").told("acts") == ""
    assert ask("away").told("acts") == ""
    assert asked == ["away", "other", "away"]
    assert ask("able", None).told("other") == ""
    assert len(asked) == 3


def test_of_the_packaged_model_it_is_known(asked: list[str]) -> None:
    """Whether it runs or not: nobody is asked."""
    assert "its chat template knows no tools" in ask("smollm2-135m-instruct", None).told("acts")
    assert asked == []


def test_the_builder_is_told(tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """By `antiphon agents`, as a doubt with the file, which is no mistake; by `antiphon doctor`, asked anew. Much to
    look up means a tool, too."""
    (tmp_path / "agents" / "pizza" / "knowledge").mkdir(parents=True)
    (tmp_path / "agents" / "pizza" / "agent.toml").write_text("")
    (tmp_path / "agents" / "pizza" / "knowledge" / "menu.md").write_text("pizza " * 2_000)
    (tmp_path / "agents" / "pizza" / "knowledge" / "menu.pdf").write_text("%PDF")
    (tmp_path / "agents" / "default.toml").write_text("")
    for name, value in {"AGENTS": "agents", "LLM_BASE_URL": "http://127.0.0.1:9/v1", "LLM_MODEL": "small"}.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(cli.app, ["agents", "--json"])
    assert result.exit_code == 0, result.output
    rows = {one["name"]: one for one in json.loads(result.output)["agents"]}
    unread, calls = rows["pizza"]["doubts"]
    assert unread == "agents/pizza/knowledge/menu.pdf: nothing reads it; expected .md or .txt"
    assert calls.startswith("agents/pizza/agent.toml: its model small calls no tools (it said “Noon.”)")
    assert rows["default"]["doubts"] == []
    [finding] = asyncio.run(tools.examine(load(), None))
    assert (finding.check, finding.result) == ("tools", "warn")
    assert finding.found == "pizza: small calls no tools (it said “Noon.”)"
    assert asked == ["small", "small"]
    (tmp_path / "agents" / "pizza" / "agent.toml").write_text('knowledge.mode = "always"')
    assert asyncio.run(tools.examine(load(), None)) == []
    (tmp_path / "agents" / "pizza" / "knowledge" / "menu.md").write_bytes(b"\xff")
    result = CliRunner().invoke(cli.app, ["agents", "--json"])
    assert result.exit_code == 1
    [problem] = next(one for one in json.loads(result.output)["agents"] if one["name"] == "pizza")["problems"]
    assert problem == "agents/pizza/knowledge/menu.md: byte 0 is not UTF-8; save it as UTF-8 text"
