"""Which agent a session gets."""

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
