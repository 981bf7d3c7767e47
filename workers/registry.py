"""Providers found by name through entry points, so that anybody can add one with a package.

[project.entry-points."antiphon.llm"]
mine = "my_package:MyLlm"         # LLM_PROVIDER=mine; built as MyLlm(settings)
"""

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any, Generic, Literal, TypeVar, overload

from schemas.config.settings import Settings
from schemas.errors import Permanent
from schemas.events import STAGES, Stage
from workers.providers import Llm, Provider, Stt, Tts

__all__ = [
    "Opened",
    "languages",
    "locate_models",
    "own_name",
    "provider",
    "provider_class",
    "provider_names",
    "summarizing",
    "unheeded",
]

_KINDS: dict[Stage, type[Any]] = {"stt": Stt, "llm": Llm, "tts": Tts}

_Kind = TypeVar("_Kind", bound=Provider)


def provider_names(stage: Stage) -> list[str]:
    """The providers installed for a stage."""
    return sorted({point.name for point in entry_points(group=f"antiphon.{stage}")})


def own_name(stage: Stage, settings: Settings) -> str:
    """Of the provider that a worker of `stage` is started with."""
    own = {"stt": settings.stt_provider, "llm": settings.llm_provider, "tts": settings.tts_provider}
    return own.get(stage, "")  # tools have none


def provider_class(stage: Stage, name: str) -> type[Provider]:
    """The class behind a name. Permanent when there is none, its package can't be imported, or it is none of ours."""
    setting = f"{stage.upper()}_PROVIDER={name}"
    found = entry_points(group=f"antiphon.{stage}", name=name)
    if not found:
        names = ", ".join(provider_names(stage)) or "none: run `make setup`"
        raise Permanent(f"{setting}: no such provider is installed; found {names}", "provider_missing")
    point = next(iter(found))
    try:
        made = point.load()
    except (ImportError, AttributeError) as error:
        raise Permanent(f"{setting}: its code cannot be loaded ({error})", "provider_broken") from error
    kind = _KINDS[stage]
    if not (isinstance(made, type) and issubclass(made, kind)):
        raise Permanent(
            f"{setting}: {point.value} does not inherit workers.providers.{kind.__name__}; see docs/writing-a-provider.md",
            "provider_broken",
        )
    return made


@overload
def provider(stage: Literal["stt"], name: str, settings: Settings) -> Stt: ...
@overload
def provider(stage: Literal["llm"], name: str, settings: Settings) -> Llm: ...
@overload
def provider(stage: Literal["tts"], name: str, settings: Settings) -> Tts: ...
def provider(stage: Stage, name: str, settings: Settings) -> Any:
    """A provider of `stage`; "" is the one the settings name. Permanent says in one sentence what is missing."""
    return provider_class(stage, name or own_name(stage, settings))(settings)


def unheeded(made: Provider | type[Provider], stage: Stage, name: str, model: str, options: Mapping[str, Any]) -> str:
    """Why an agent's own `model` and `options` can't be had of the provider `made`, called `name`, in one sentence; "": they can,
    or it has none."""
    given = "model" if model else "options"
    if made.takes_options or not (model or options):
        return ""
    found = f'"{model}"' if model else str(dict(options))[:80]
    return (
        f"{stage}.{given} = {found}: the provider {name} takes {given} from the worker's settings only, not from an agent; "
        f'leave it out, or give an {stage}.provider that takes it, such as "openai"'
    )


def summarizing(settings: Settings) -> tuple[Settings, bool]:
    """The settings of the LLM that makes summaries, and whether it is the one that replies to callers."""
    shared = not settings.summary_base_url
    key = settings.summary_api_key
    if shared and not key.get_secret_value():
        key = settings.llm_api_key
    other = {
        "llm_base_url": settings.summary_base_url or settings.llm_base_url,
        "llm_model": settings.summary_model or settings.llm_model,
        "llm_api_key": key,
        "llm_timeout": settings.summary_timeout,
        "llm_provider": settings.llm_provider if shared else "openai",
    }
    return settings.model_copy(update=other), shared


class Opened(Generic[_Kind]):
    """A worker's own provider, and those that jobs name instead of it: each of them is opened once and kept."""

    def __init__(self, own: _Kind, own_name: str, open_other: Callable[[str], _Kind]) -> None:
        self.own, self.own_name = own, own_name
        self._open = open_other
        self._others: dict[str, _Kind] = {}

    def named(self, name: str) -> _Kind:
        """The provider of that name; "" is the worker's own. Permanent: it can't be opened."""
        if name in ("", self.own_name):
            return self.own
        if name not in self._others:
            self._others[name] = self._open(name)
        return self._others[name]

    async def aclose(self) -> None:
        for each in (self.own, *self._others.values()):
            await each.aclose()


def locate_models(settings: Settings) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """For `antiphon doctor`: (stage, setting, find) of each model that is a file here. `find()` answers where it is, or
    raises Permanent."""
    for stage in STAGES:
        try:
            found = provider_class(stage, own_name(stage, settings)).locate(settings)
        except Permanent as error:
            yield stage, f"{stage.upper()}_PROVIDER", _raiser(error)
            continue
        if found is not None:
            setting, find = found
            yield stage, setting, find


def languages(stage: Stage, settings: Settings) -> list[str]:
    """ISO 639-1 of what the settings' provider of `stage` understands or speaks; [] where it doesn't tell."""
    try:
        return provider_class(stage, own_name(stage, settings)).languages(settings)
    except Permanent:
        return []


def _raiser(error: Permanent) -> Callable[[], str]:
    def find() -> str:
        raise error

    return find
