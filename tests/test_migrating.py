"""docs/migrating.md: what it says is here, is here. (Its commands, settings and links: test_operating.py.)"""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from schemas.config.agent import AgentSpec, load_agent
from workers.agents import Context, load
from workers.tools import _builtin

PAGE = (Path(__file__).parents[1] / "docs" / "migrating.md").read_text("utf-8")


def _sections() -> dict[str, set[str]]:
    """Tables of an agent's file, and the keys of each."""
    tables = {name: field.annotation for name, field in AgentSpec.model_fields.items()}
    return {
        name: set(one.model_fields)
        for name, kind in tables.items()
        for one in (kind, *get_args(kind))
        if isinstance(one, type) and issubclass(one, BaseModel)
    }


def test_keys_of_an_agent_are_there() -> None:
    """Every `[table] key`, and every key without a table."""
    sections = _sections()
    named = re.findall(r"`\[(\w+)\] (\w+)", PAGE)
    assert len(named) > 20
    assert [f"[{table}] {key}" for table, key in named if key not in sections[table]] == []
    assert {"instructions", "greeting", "greeting_interruptible", "filler", "patience", "language"} <= set(
        AgentSpec.model_fields
    )


def test_what_tools_are_offered_is_there() -> None:
    """Options of `@tool`, what a context has, built-in tools."""
    for name in ("say", "end", "state", "session", "caller", "metadata"):
        assert hasattr(Context(), name), name
    assert {"end_call", "transfer"} <= set(_builtin._MAKERS)


async def test_its_agent_works(tmp_path: Path) -> None:
    """The agent of the page loads as it stands, and its tool answers."""
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL))
    (tmp_path / "agent.toml").write_text(blocks["toml"])
    (tmp_path / "agent.py").write_text(blocks["python"])
    spec, code = load_agent(tmp_path), load(tmp_path)
    assert spec.greeting
    assert code.problem == ""
    tool = code.tools["lookup_weather"]
    assert tool.parameters["required"] == ["location"]
    assert await tool.run(Context(), tool.fit({"location": "Rome"})) == {"weather": "sunny", "temperature": 70}


@pytest.mark.parametrize("heading", ["LiveKit Agents", "Pipecat"])
def test_every_row_has_both_sides(heading: str) -> None:
    """What stands there, and what here, or that there is none."""
    body = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20
    assert [row for row in rows if len(row) != 2 or not all(part.strip() for part in row)] == []
