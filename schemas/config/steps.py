"""An agent as it is in one step of the conversation: its spec, with that step's voice, LLM, and what it expects. Pure."""

from schemas.config.agent import AgentSpec
from schemas.config.conversation import StepSpec

__all__ = ["begun", "in_step", "step_of", "within_reach"]


def begun(spec: AgentSpec) -> AgentSpec:
    """In its first step, if it has any."""
    if not spec.steps or spec.step:
        return spec
    whole = [_filled(step, spec) for step in spec.steps]
    return in_step(spec.model_copy(update={"steps": whole}), spec.first_step or whole[0].name)


def _filled(step: StepSpec, spec: AgentSpec) -> StepSpec:
    """What it leaves out is the agent's: so that a step which is left leaves nothing behind."""
    own = {
        "voice": spec.voice,
        "model": spec.llm.model,
        "temperature": spec.llm.temperature,
        "expects": spec.turn_taking.expects,
    }
    return step.model_copy(update={name: value for name, value in own.items() if getattr(step, name) is None})


def in_step(spec: AgentSpec, name: str) -> AgentSpec:
    """`spec`, which has begun, in the step called `name`. Unchanged where there is none."""
    step = next((step for step in spec.steps if step.name == name), None)
    if step is None:
        return spec
    llm = spec.llm.model_copy(update={"model": step.model or "", "temperature": step.temperature})
    turns = spec.turn_taking.model_copy(update={"expects": step.expects or spec.turn_taking.expects})
    return spec.model_copy(update={"step": name, "voice": step.voice, "llm": llm, "turn_taking": turns})


def step_of(spec: AgentSpec) -> StepSpec | None:
    """Where the conversation is."""
    return next((step for step in spec.steps if step.name == spec.step), None) if spec.step else None


def within_reach(spec: AgentSpec) -> list[str]:
    """The steps that the LLM may go to from here."""
    step = step_of(spec)
    others = [one.name for one in spec.steps if one.name != spec.step]
    return others if step is None or step.to is None else [name for name in others if name in step.to]
