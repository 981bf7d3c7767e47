"""Answers by rules, for agents that are tried and tested without a model that can call tools: `SIMULATED_LLM_RULES`, a TOML file
of which docs/pizza.md shows one. Pure but for reading that file.

    [values]                                     # what a word that was heard stands for
    two = 2

    [[rule]]                                     # of the first rule that fits
    hears = "(?P<count>one|two) large"           # in what the caller said last
    call = "order"                               # a tool is called …
    arguments = { count = "{count|1}" }

    [[rule]]
    returned = "order"                           # … and of what it returned
    says = "{result}"                            # this is said
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.config.explain import read_text, read_toml
from schemas.errors import SettingsError

__all__ = ["Answer", "Rules", "load"]

LONGEST_FILE = 200_000
"""Bytes of a file of rules."""
_LONGEST = 20_000
"""Characters, the last ones, that a rule is held against."""
_SLOT = re.compile(r"\{(?P<name>\w+)(?:\|(?P<default>[^{}]*))?\}")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"a regular expression that can be read ({error})") from None
    return text


Pattern = Annotated[str, Field(max_length=1_000), AfterValidator(_pattern)]


class Rule(BaseModel):
    """What is said, or called, when all fits that the rule names. Regular expressions are searched for, whatever the case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hears: Pattern = ""
    """In the caller's last words."""
    after: Pattern = ""
    """In what the agent said before them."""
    told: Pattern = ""
    """In its instructions."""
    returned: str = ""
    """The tool that has just returned; "": none has, the caller spoke."""
    result: Pattern = ""
    """In what it returned."""
    says: str = Field("", max_length=4_000)
    """`{name}`: what the group of that name holds; `{name|else}`: else that text; `{heard}`, `{result}`: all of it."""
    call: str = ""
    """A tool, after what is said. Where the agent does not have it, the rule does not fit."""
    arguments: dict[str, Any] = {}
    """Texts in it are filled likewise."""

    @model_validator(mode="after")
    def _does_something(self) -> "Rule":
        if not self.says and not self.call:
            raise ValueError("a rule says something, or has a call")
        return self


@dataclass(frozen=True, slots=True)
class Answer:
    """`call`: name and arguments of a tool; None: none is called."""

    says: str
    call: tuple[str, dict[str, Any]] | None = None


class Rules(BaseModel):
    """A file of rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: dict[str, str | int | float | bool] = {}
    rule: list[Rule] = Field([], max_length=500)

    def answer(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[str]) -> Answer | None:
        """To a chat of OpenAI messages; `tools`: the names of those there are. None: no rule fits."""
        if not messages:
            return None
        last = messages[-1]
        heard, said = _heard(messages)
        told = str(messages[0].get("content") or "") if messages[0].get("role") == "system" else ""
        returned = _called(messages, last) if last.get("role") == "tool" else ""
        result = str(last.get("content") or "") if returned else ""
        for rule in self.rule:
            if rule.returned != returned or (rule.call and rule.call not in tools):
                continue
            groups: dict[str, str] = {"heard": heard, "result": result}
            for pattern, text in ((rule.told, told), (rule.after, said), (rule.hears, heard), (rule.result, result)):
                found = re.search(pattern, text[-_LONGEST:], re.IGNORECASE | re.DOTALL) if pattern else None
                if pattern and found is None:
                    break
                groups |= {name: group or "" for name, group in found.groupdict().items()} if found else {}
            else:
                call = (rule.call, {key: self._filled(one, groups) for key, one in rule.arguments.items()})
                return Answer(str(self._filled(rule.says, groups)), call if rule.call else None)
        return None

    def _filled(self, value: Any, groups: Mapping[str, str]) -> Any:
        """A text that is one slot and no more becomes the value that stands there, whatever its type."""
        if isinstance(value, list):
            return [self._filled(one, groups) for one in value]
        if isinstance(value, dict):
            return {key: self._filled(one, groups) for key, one in value.items()}
        if not isinstance(value, str):
            return value
        if whole := _SLOT.fullmatch(value):
            return self._of(whole, groups)
        return _SLOT.sub(lambda slot: str(self._of(slot, groups)), value)

    def _of(self, slot: "re.Match[str]", groups: Mapping[str, str]) -> Any:
        text = groups.get(slot["name"], "").strip() or slot["default"] or ""
        return self.values.get(text.lower(), text)


def load(path: Path) -> Rules:
    """SettingsError: it can't be read, or is none: file, line, and what is allowed."""
    setting = f"SIMULATED_LLM_RULES={path}"
    try:
        if (size := path.stat().st_size) > LONGEST_FILE:
            raise SettingsError(f"{setting}: {size:,} bytes; expected at most {LONGEST_FILE:,}")
    except OSError as error:
        raise SettingsError(f"{setting}: cannot be read ({error.strerror}); give a file of rules") from None
    return read_toml(Rules, read_text(path, SettingsError, "a file of rules"), setting, SettingsError)


def _heard(messages: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The last line of what the caller said, and what the agent said before that."""
    place = next((n for n in range(len(messages) - 1, -1, -1) if messages[n].get("role") == "user"), None)
    if place is None:
        return "", ""
    lines = str(messages[place].get("content") or "").strip().splitlines()
    before = [one for one in messages[:place] if one.get("role") == "assistant" and one.get("content")]
    return lines[-1] if lines else "", str(before[-1]["content"]) if before else ""


def _called(messages: Sequence[Mapping[str, Any]], answer: Mapping[str, Any]) -> str:
    """The name of the tool that this message answers for."""
    for message in reversed(messages):
        for call in message.get("tool_calls") or ():
            if call.get("id") == answer.get("tool_call_id"):
                return str(call["function"]["name"])
    return ""
