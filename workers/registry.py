"""Providers found by name through entry points, so that anybody can add one with a package.

[project.entry-points."antiphon.llm"]
mine = "my_package:MyLlm"         # LLM_PROVIDER=mine; built as MyLlm(settings)
"""

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Any, Literal, overload

from schemas.config.settings import Settings
from schemas.errors import Permanent
from schemas.events import Stage
from workers.providers import Llm, Stt, Tts

__all__ = ["languages", "locate_models", "provider", "provider_class", "provider_names"]

STAGES: tuple[Stage, ...] = ("stt", "llm", "tts")


def provider_names(stage: Stage) -> list[str]:
    """The providers installed for a stage."""
    return sorted({point.name for point in entry_points(group=f"antiphon.{stage}")})


def provider_class(stage: Stage, name: str) -> Callable[[Settings], Any]:
    """The class behind a name. Permanent when there is none, or its package can't be imported."""
    found = entry_points(group=f"antiphon.{stage}", name=name)
    if not found:
        names = ", ".join(provider_names(stage)) or "none: run `make setup`"
        raise Permanent(
            f"{stage.upper()}_PROVIDER={name}: no such provider is installed; found {names}", "provider_missing"
        )
    try:
        made: Callable[[Settings], Any] = next(iter(found)).load()
    except (ImportError, AttributeError) as error:
        raise Permanent(
            f"{stage.upper()}_PROVIDER={name}: its code cannot be loaded ({error})", "provider_broken"
        ) from error
    return made


@overload
def provider(stage: Literal["stt"], name: str, settings: Settings) -> Stt: ...
@overload
def provider(stage: Literal["llm"], name: str, settings: Settings) -> Llm: ...
@overload
def provider(stage: Literal["tts"], name: str, settings: Settings) -> Tts: ...
def provider(stage: Stage, name: str, settings: Settings) -> Any:
    """A provider of `stage`; "" is the one the settings name. Permanent says in one sentence what is missing."""
    return provider_class(stage, name or getattr(settings, f"{stage}_provider"))(settings)


def locate_models(settings: Settings) -> Iterator[tuple[str, str, Callable[[], str]]]:
    """For `antiphon doctor`: (stage, setting, find) of each model that is a file here. `find()` answers where it is, or
    raises Permanent. A provider takes part by a static `locate(settings) -> (setting, find)`."""
    for stage in STAGES:
        name = getattr(settings, f"{stage}_provider")
        try:
            found = getattr(provider_class(stage, name), "locate", None)
        except Permanent as error:
            yield stage, f"{stage.upper()}_PROVIDER", _raiser(error)
            continue
        if found is not None:
            setting, find = found(settings)
            yield stage, setting, find


def languages(stage: Stage, settings: Settings) -> list[str]:
    """ISO 639-1 of what the settings' provider of `stage` understands or speaks; [] where it doesn't tell. A provider tells by a
    static `languages(settings) -> list[str]`, which loads no model."""
    try:
        told = getattr(provider_class(stage, getattr(settings, f"{stage}_provider")), "languages", None)
        return list(told(settings)) if told is not None else []
    except Permanent:
        return []


def _raiser(error: Permanent) -> Callable[[], str]:
    def find() -> str:
        raise error

    return find
