"""Whether an agent's language is one that its ears understand and its voice speaks. Pure; what is not known is not complained of.

Each STT and TTS worker announces beside the log what its model speaks, as far as its provider tells.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.stages import Stage

if TYPE_CHECKING:
    from schemas.config.agent import AgentSpec

__all__ = ["Announced", "Unspoken", "unread", "unspoken"]

_SHOWN = 5
_READ = "en"
"""The language in which turn-taking reads what was said."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What a worker says of its model. `languages`: ISO 639-1 ([]: it doesn't tell); `setting`: what to change, with its value;
    `provider`: its name."""

    stage: Stage
    languages: Sequence[str]
    setting: str
    provider: str


@dataclass(frozen=True, slots=True, order=True)
class Unspoken:
    """A model that doesn't speak an agent's language. `sentence`: with what to change; `told`: to callers."""

    sentence: str
    told: str


def unspoken(agent: "AgentSpec", workers: Iterable[Announced]) -> list[Unspoken]:
    """Each model that doesn't speak the agent's language."""
    wanted = _primary(agent.language)
    found = {
        _sentence(agent, wanted, worker)
        for worker in workers
        if wanted and worker.languages and _asked(agent, worker) and wanted not in map(_primary, worker.languages)
    }
    return sorted(found)


def unread(agent: "AgentSpec") -> dict[tuple[str, str], str]:
    """What an agent's file asks of turn-taking that is known of English words only, of an agent that speaks something else: the
    section and key it stands under, and what becomes of it."""
    language, expects, found = _primary(agent.language), agent.turn_taking.expects, {}
    if language in ("", _READ):
        return {}
    if expects == "yes_no":
        found["turn_taking", "expects"] = (
            f'expects = "yes_no" knows English answers only; in {language} it changes nothing'
        )
    elif expects != "free":
        goes = "digits" if expects == "amount" else "digits and single letters"
        found["turn_taking", "expects"] = (
            f'expects = "{expects}" knows English words only; in {language} it goes by {goes}'
        )
    if agent.stt.complete and "complete" in agent.stt.model_fields_set:
        found["stt", "complete"] = (
            f"complete = true can be told of English only; in {language} turns end by their melody"
        )
    return found


def _asked(agent: "AgentSpec", worker: Announced) -> bool:
    """Whether this agent is heard or spoken by the model that was announced: it may name another provider, or another voice."""
    if worker.stage == "stt":
        return agent.stt.provider in ("", worker.provider)
    return worker.stage == "tts" and agent.tts.provider in ("", worker.provider) and not agent.voice.name


def _sentence(agent: "AgentSpec", wanted: str, worker: Announced) -> Unspoken:
    known = ", ".join(worker.languages[:_SHOWN]) + (", …" if len(worker.languages) > _SHOWN else "")
    name = worker.setting.partition("=")[0]
    if worker.stage == "stt":
        does, other = "understands", f"set {name} to a multilingual model such as small"
    else:
        does, other = "speaks", f'set {name}, or `voice = {{name = "…"}}` of the agent, to a voice of that language'
    understood = "understood" if worker.stage == "stt" else "spoken"
    return Unspoken(
        f'agent "{agent.name}" is to speak {wanted} (`language`), but {worker.setting} {does} {known} only: {other}, or change '
        "the agent's `language`",
        f"the agent is meant to speak {wanted}, but {known} only is {understood} here",
    )


def _primary(language: str) -> str:
    """`de` of `de-AT` and `de_DE`."""
    return language.replace("_", "-").partition("-")[0].strip().lower()
