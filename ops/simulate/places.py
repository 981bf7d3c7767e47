"""Where conversations are simulated: which agent, and the deployment that it is had from."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.people.caller import Caller as Phone
from ops.people.entry import client_token, gateway_url
from ops.simulate.line import Line, TextLine
from ops.simulate.model import Awaited, Model, Scripted
from ops.simulate.scenario import Scenario
from ops.simulate.scene import Scene
from ops.simulate.sound import SoundLine, Voice
from ops.stack.here import data_folder, settings_here
from ops.stack.llm_endpoint import reachable_llm
from schemas.access.tokens import Grant
from schemas.bus import Reading
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.errors import AgentSpecError
from schemas.log import connected
from workers.providers import Llm
from workers.registry import provider

__all__ = ["Chosen", "Place", "choose", "needs_model", "own_llm", "scene_of", "sound_place", "text_place"]


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
    """`make`: a line for a scenario; `log`: where the conversations are; `model`: plays and judges, None where it isn't
    needed."""

    make: Callable[[Scenario], Line]
    log: Reading
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
        yield Place(lambda one: TextLine(scene, chosen.spec, one.spec.caller, one.name), scene.bus, model)


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
        else:
            environment = {"AGENTS": str(chosen.agents.source)} if chosen.agents.source else {}
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
        log = await stack.enter_async_context(connected(settings))

        def make(one: Scenario) -> Line:
            caller = one.spec.caller
            token = client_token("", Grant(agent=chosen.name))
            phone = Phone(gateway, agent=chosen.name, participant=caller.identity, rate=16_000, token=token)
            return SoundLine(caller, one.name, phone, voice, log)

        yield Place(make, log, model)


async def _warm(stack: AsyncExitStack, settings: Settings) -> Model:
    model = Model.of(settings)
    stack.push_async_callback(model.aclose)
    await model.warm_up()
    return model


def needs_model(scenario: Scenario) -> bool:
    """Whether one plays the caller, or judges."""
    return not scenario.spec.caller.lines or bool(scenario.spec.judge.criteria)
