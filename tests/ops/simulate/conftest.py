"""A scene with the simulated LLM, and models that answer as a test says."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path

import pytest

from ops.simulate.places import scene_of
from ops.simulate.scene import Scene
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from workers.providers import ChatRequest, Delta, Llm
from workers.simulated import SimulatedLlm, Simulation


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither agents nor a stack of this machine are found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    settings = Settings(llm_provider="simulated")
    llm = SimulatedLlm(settings, Simulation(llm_ms=0, llm_token_ms=0))
    async with scene_of(settings, llm, Agents()) as (scene, _):
        yield scene


class Answering(Llm):
    """Gives these answers, one after another, the last for ever; an error is raised. `asked`: what it was asked."""

    def __init__(self, *answers: str | Exception) -> None:
        self.model = "answering"
        self.answers = list(answers)
        self.asked: list[ChatRequest] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        self.asked.append(request)
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        for piece in _pieces(answer):
            yield Delta(piece)
        yield Delta(finish="stop")


def _pieces(text: str) -> Sequence[str]:
    return [text[at : at + 40] for at in range(0, len(text), 40)]
