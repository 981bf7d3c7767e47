"""Whether the models of agents with tools call any: known of the packaged one, else asked of the endpoint and kept a while."""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.stack.here import data_folder
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings
from schemas.errors import AntiphonError
from schemas.process.whole_file import whole_file
from workers.llm.calling import UNABLE, Calling, calls_tools

WITHIN = 10.0
"""Seconds for all that is asked."""
_MOST = 4
"""Models that are asked at a time."""
_KEPT = {True: 7 * 86_400.0, False: 3_600.0}
"""Seconds for which an answer counts: who changes a model that calls none, wants to know."""
_FILE, _ENTRIES = "tool-calls.json", 200


@dataclass(frozen=True, slots=True)
class Asked:
    """`agents`: with tools, by the model they have."""

    agents: Mapping[str, Sequence[str]]
    calling: Mapping[str, Calling]

    def told(self, agent: str) -> str:
        """Of an agent whose model calls none, in a sentence; "" where it does, or nobody knows."""
        for model, names in self.agents.items():
            found = self.calling.get(model)
            if agent in names and found is not None and not found.calls:
                return (
                    f"its model {model} calls no tools ({found.why}), so those of this agent are never called; choose another "
                    'LLM_MODEL, or llm.model; files in knowledge/ it can have without, by knowledge.mode = "always"'
                )
        return ""


async def ask(settings: Settings, specs: Mapping[str, AgentSpec], model: str, url: str | None, *, anew: bool) -> Asked:
    """`specs`: agents by name; `model`: of those that name none; `url`: of the endpoint that answers, None: none is known to run,
    and only what is recorded counts; `anew`: whatever is kept."""
    if settings.llm_provider != "openai":
        return Asked({}, {})
    agents: dict[str, list[str]] = {}
    for name, spec in specs.items():
        if spec.has_tools and spec.llm.provider in ("", "openai") and (spec.llm.model or model):
            agents.setdefault(spec.llm.model or model, []).append(name)
    calling = {one: Calling(False, UNABLE[one]) for one in agents if one in UNABLE}
    rest = [one for one in agents if one not in calling][:_MOST]
    if url and rest:
        calling |= await _endpoint(settings.model_copy(update={"llm_base_url": url}), rest, anew=anew)
    return Asked(agents, calling)


async def _endpoint(settings: Settings, models: Sequence[str], *, anew: bool) -> dict[str, Calling]:
    path = data_folder() / _FILE
    kept = {} if anew else await asyncio.to_thread(_kept, path)
    now, found, wanted = time.time(), dict[str, Calling](), list[str]()
    for model in models:
        known = kept.get(_key(settings.llm_base_url, model))
        if known is not None and 0 <= now - known[1] < _KEPT[known[0].calls]:
            found[model] = known[0]
        else:
            wanted.append(model)
    if not wanted:
        return found
    from workers.llm.openai import OpenAiLlm  # its client takes a moment to be imported

    try:
        llm = OpenAiLlm(settings)
    except AntiphonError:  # told of the endpoint
        return found
    async with aclosing(llm):
        answers = await asyncio.gather(*(calls_tools(llm, model, WITHIN) for model in wanted))
    heard = {model: answer for model, answer in zip(wanted, answers, strict=True) if answer is not None}
    with suppress(OSError):  # asked again the next time
        await asyncio.to_thread(_keep, path, {_key(settings.llm_base_url, model): one for model, one in heard.items()})
    return found | heard


def _key(url: str, model: str) -> str:
    """The address may hold a password."""
    return hashlib.sha256(f"{url} {model}".encode()).hexdigest()[:32]


def _kept(path: Path) -> dict[str, tuple[Calling, float]]:
    found: dict[str, tuple[Calling, float]] = {}
    with suppress(OSError, ValueError, RecursionError):
        rows: Any = json.loads(path.read_bytes())
        for key, row in rows.items() if isinstance(rows, dict) else ():
            with suppress(KeyError, TypeError, ValueError):
                found[key] = Calling(bool(row["calls"]), str(row["why"])[:400]), float(row["at"])
    return found


def _keep(path: Path, heard: Mapping[str, Calling]) -> None:
    now = time.time()
    rows = _kept(path) | {key: (one, now) for key, one in heard.items()}
    newest = sorted(rows.items(), key=lambda row: row[1][1])[-_ENTRIES:]
    text = json.dumps({key: {"calls": one.calls, "why": one.why, "at": at} for key, (one, at) in newest})
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, OSError) as part:
        part.write_text(text, "utf-8")
