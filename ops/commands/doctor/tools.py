"""What `antiphon doctor` says of agents with tools: whether their models call any."""

from ops.commands.doctor.findings import Finding
from ops.stack.models import answering
from ops.stack.tool_calling import ask
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.errors import AntiphonError


async def examine(settings: Settings, embedded: str | None) -> list[Finding]:
    """A finding for each model that agents with tools have, asked now. `embedded`: base URL of the LLM server of the stack that
    runs here, None when none does. None where no agent has tools, or their files are wrong."""
    try:
        agents = Agents(settings.agents, strict=False)
        specs = {name: agents.find(name) for name in agents.names}
        model = answering(settings)
    except AntiphonError:  # told of the agents, or the model
        return []
    url = settings.llm_base_url if "llm_base_url" in settings.model_fields_set else embedded
    asked = await ask(settings, specs, model, url, anew=True)
    findings = []
    for model, names in asked.agents.items():
        who, found = ", ".join(names), asked.calling.get(model)
        if found is None:
            findings.append(
                Finding("tools", "ok", f"{who}: whether {model} calls tools is not known: nobody could ask it")
            )
        elif found.calls:
            findings.append(Finding("tools", "ok", f"{who}: {model} calls tools"))
        else:
            advice = 'choose another LLM_MODEL, or llm.model; what knowledge/ says needs no tools with knowledge.mode = "always"'
            findings.append(Finding("tools", "warn", f"{who}: {model} calls no tools ({found.why})", advice))
    return findings
