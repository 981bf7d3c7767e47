"""The fixture `conversation` (docs/testing-agents.md), for whoever has Antiphon and pytest installed. Nothing of it is loaded
before a test asks for it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ops.simulate.conversation import Conversation, Scenes

_INI = "antiphon_agents"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        _INI, "Agents for the fixture `conversation`: a folder of them, or one; else AGENTS, else agents/.", default=""
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "agent(name): with which agent the fixture `conversation` speaks; its name or path"
    )


@pytest.fixture(scope="session")
def antiphon_scenes() -> "Iterator[Scenes]":
    """Where all conversations of a test run take place."""
    from ops.simulate.conversation import Scenes

    scenes = Scenes()
    yield scenes
    scenes.close()


@pytest.fixture
def conversation(request: pytest.FixtureRequest, antiphon_scenes: "Scenes") -> "Iterator[Conversation]":
    """A conversation with the agent that the mark `agent` names, else with the one whom callers get that name none."""
    from schemas.errors import AntiphonError

    mark = request.node.get_closest_marker("agent")
    named = str(request.config.getini(_INI))
    source = (request.config.rootpath / Path(named)) if named else None
    try:
        begun = antiphon_scenes.begin(str(mark.args[0]) if mark and mark.args else "", source, request.config.rootpath)
    except AntiphonError as error:
        pytest.fail(str(error), pytrace=False)
    yield begun
    begun.close()
