"""Where conversations are simulated: which agent, and the deployment that it is had from."""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.jobs.asking import Asking
from ops.jobs.results import Made, Results
from ops.people.caller import Caller as Phone
from ops.people.entry import gateway_url
from ops.simulate.line import Line, TextLine
from ops.simulate.matching import name_for, variant_for
from ops.simulate.model import Awaited, Model, Scripted
from ops.simulate.run import Fill
from ops.simulate.scenario import Scenario
from ops.simulate.scene import Scene
from ops.simulate.sound import SoundLine, Voice
from ops.stack.here import data_folder, settings_here
from ops.stack.llm_endpoint import reachable_llm
from schemas.access.tokens import Grant, mint
from schemas.archive.both import Both, looking
from schemas.bus import Reading
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.errors import AgentSpecError
from schemas.events import Event, FieldCollected, SessionStarted
from schemas.log import connected
from workers.providers import Llm
from workers.registry import provider

__all__ = ["Chosen", "Place", "choose", "needs_model", "own_llm", "scene_of", "sound_place", "text_place"]


_GOOD_FOR = 7_200.0
"""Seconds of a token: longer than a scenario may take, and its wait for a place."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """`name`: to ask for it in `agents`; `scenarios`: where those of the agent are."""

    agents: Agents
    name: str
    spec: AgentSpec
    scenarios: Path


def choose(wanted: str, source: Path | None) -> Chosen:
    """The agent called `wanted` among those of `source` (AGENTS), or the one of the file or folder of that path. AgentSpecError:
    there is none, or what is wrong with it, by file and line."""
    path = Path(wanted or "-")
    named = source is not None and source.exists() and wanted in Agents(source, strict=False).files
    if not named and (path.suffix == ".toml" or path.is_dir()):
        agents = Agents(path, strict=False)
        if len(agents.files) != 1:
            raise AgentSpecError(f"{wanted}: {len(agents.files)} agents are there; name one, with AGENTS={wanted}")
        name = next(iter(agents.files))
    else:
        agents = Agents(source, strict=False)
        name = wanted or agents.usual
    spec = agents.find(name)
    file = agents.files.get(name)
    if file is None:
        return Chosen(agents, name, spec, Path(f"{name}/scenarios"))
    folder = agents.folder(name) or file.with_suffix("")
    return Chosen(agents, name, spec, folder / "scenarios")


@dataclass(frozen=True, slots=True)
class Place:
    """`make`: a line for a scenario; `log`: where the conversations are; `fill`: makes structured results; `model`: plays
    and judges, None where it isn't needed."""

    make: Callable[[Scenario], Line]
    log: Reading
    fill: Fill
    model: Model | None = None


@asynccontextmanager
async def scene_of(
    settings: Settings, llm: Llm, agents: Agents, *, at_once: int = 16
) -> AsyncIterator[tuple[Scene, Scripted]]:
    """A scene in which `llm` answers, which is closed with it; and the script that can answer in its place."""
    settings = settings.model_copy(update={"agents": agents.source})
    script = Scripted(settings, llm)
    async with Scene(settings, script, agents, at_once=at_once).open() as scene:
        yield scene, script


@asynccontextmanager
async def own_llm(settings: Settings) -> AsyncIterator[Llm]:
    """The LLM of the settings, of the stack that runs here, or one of our own for the while; warm. ProviderError."""
    async with reachable_llm(settings) as reachable:
        llm = provider("llm", "", reachable)
        try:
            await llm.warm_up()
            yield llm
        finally:
            await llm.aclose()


@asynccontextmanager
async def text_place(chosen: Chosen, *, asks: bool, at_once: int) -> AsyncIterator[Place]:
    """In this process, without sound; the LLM is that of the settings, of the stack that runs here, or one of our own for the
    while. `asks`: a model plays or judges. ProviderError: an endpoint is away."""
    async with AsyncExitStack() as stack:
        settings = await stack.enter_async_context(reachable_llm(settings_here()))
        model = await _warm(stack, settings) if asks else None
        llm = Awaited(settings, lambda: own_llm(settings))
        if not chosen.spec.llm.provider:
            await llm.warm_up()  # that it is away is said at once
        scene, _ = await stack.enter_async_context(scene_of(settings, llm, chosen.agents, at_once=at_once))
        fill = _filling(stack, settings, scene.bus)
        yield Place(lambda one: TextLine(scene, chosen.spec, one.spec.caller, one.name), scene.bus, fill, model)


@asynccontextmanager
async def sound_place(
    chosen: Chosen, settings: Settings, *, asks: bool, url: str | None, on_wait: Callable[[str], None]
) -> AsyncIterator[Place]:
    """Through a gateway: that of `url`, whose log the settings name, else of a stack of our own for the while, with real
    hearing and speaking. ProviderError, CallError, StackError."""
    from ops.stack.stack import Plan, Stack

    async with AsyncExitStack() as stack:
        if url is not None:
            settings, gateway = settings_here(), gateway_url(url)
            secret = settings.gateway_token_secret.get_secret_value()
        else:
            secret = settings.gateway_token_secret.get_secret_value() or secrets.token_hex(32)
            environment = {"GATEWAY_TOKEN_SECRET": secret}
            if chosen.agents.source:
                environment["AGENTS"] = str(chosen.agents.source)
            plan = Plan(
                data_folder() / "simulate", free_ports=True, phones=False, environment=environment,
                on_wait=on_wait, on_warn=on_wait,
            )  # fmt: skip
            running = await stack.enter_async_context(Stack(plan, settings))
            settings = settings.model_copy(
                update={"redis_url": running.redis_url, "llm_base_url": running.llm_base_url}
            )
            gateway = running.gateways[0]
        model = await _warm(stack, settings) if asks else None
        voice = Voice(settings)
        stack.push_async_callback(voice.aclose)
        await voice.warm_up()
        # what is over leaves the log for the archive within seconds: sooner than the last scenario is done, and the page written
        log = Both(await stack.enter_async_context(connected(settings)), looking(settings))
        stack.push_async_callback(log.aclose)

        def make(one: Scenario) -> Line:
            caller, who = one.spec.caller, one.spec.caller.identity
            grant = Grant(agent=chosen.name)
            if chosen.spec.variants and secret:  # who a token vouches for gets the variant of that name
                variant = variant_for(caller, chosen.spec)
                who = name_for(variant, chosen.spec, who, lambda: f"{caller.identity}-{secrets.token_hex(4)}")
                grant = Grant(agent=chosen.name, participant=who)
            token = mint(secret, grant, _GOOD_FOR) if secret else ""
            phone = Phone(gateway, agent=chosen.name, participant=who, name=caller.name, rate=16_000, token=token)
            return SoundLine(caller, one.name, phone, voice, log)

        yield Place(make, log, _filling(stack, settings, log), model)


def _filling(stack: AsyncExitStack, settings: Settings, log: Reading) -> Fill:
    """As the jobs worker fills results."""
    asking = Asking(settings)
    stack.push_async_callback(asking.aclose)
    results = Results(asking)

    async def fill(session: str, events: Sequence[Event]) -> Made:
        agent = next(event.agent for event in events if isinstance(event, SessionStarted))
        collected = {event.name: event.value for event in events if isinstance(event, FieldCollected)}
        return await results.of(log, session, agent.result, collected)

    return fill


async def _warm(stack: AsyncExitStack, settings: Settings) -> Model:
    model = Model.of(settings)
    stack.push_async_callback(model.aclose)
    await model.warm_up()
    return model


def needs_model(scenario: Scenario) -> bool:
    """Whether one plays the caller, or judges."""
    return not scenario.spec.caller.lines or bool(scenario.spec.judge.criteria)
