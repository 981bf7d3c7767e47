"""What `antiphon doctor` and `antiphon up` say about agents in languages that this machine's models don't speak."""

from ops.commands.doctor.findings import Finding
from ops.stack.first_look import doubtful, wrong_agents
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.errors import AntiphonError
from schemas.events import Stage
from schemas.languages import unspoken
from workers.announcing import announcement

_HEARD_AND_SPOKEN: tuple[Stage, ...] = ("stt", "tts")


def unspoken_here(settings: Settings) -> list[str]:
    """A sentence for each agent and model that don't fit. AgentSpecError."""
    models = [what for stage in _HEARD_AND_SPOKEN if (what := announcement(stage, settings)) is not None]
    agents = Agents(settings.agents)
    found = (unspoken(agents.find(name), models) for name in ["", *agents.names])
    return sorted({one.sentence for each in found for one in each})


def doubts_of(agents: Agents) -> list[str]:
    """A line for whatever an agent's file asks for that its language makes little of, with file and line."""
    return [line for lines in doubtful(agents).values() for line in lines]


def examine(settings: Settings) -> list[Finding]:
    """One finding for all agents, or one for each complaint about their files."""
    try:
        agents = Agents(settings.agents, strict=False)
        wrong = [line for complaints in wrong_agents(agents, settings).values() for line in complaints.splitlines()]
        doubts = doubts_of(agents)
        sentences = [] if wrong else unspoken_here(settings)
    except AntiphonError as error:
        wrong = [str(error)]
    if wrong:
        advice = ["" for _ in wrong[1:]] + ["correct it, or set AGENTS to another file or folder"]
        return [Finding("agents", "bad", line, last) for line, last in zip(wrong, advice, strict=True)]
    found = [Finding("agents", "warn", line, "leave it out there, or change the agent's `language`") for line in doubts]
    if sentences:
        return [*found, Finding("language", "warn", "; ".join(sentences), "callers of such an agent are misunderstood")]
    return [*found, Finding("language", "ok", "every agent's language is spoken, as far as the models tell")]
