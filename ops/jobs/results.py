"""The structured result of a session: the agent's JSON schema, filled by a model from what was said, and checked."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry

from ops.jobs.asking import CALL_IS_TOLD, Asking
from ops.jobs.summaries import transcript
from schemas.bus import Reading
from schemas.config.collecting import ResultSpec
from schemas.text.clean import DEEPEST, one_line, too_deep

__all__ = ["Made", "Results", "complaints", "json_of"]

_TOKENS = 1_500
_LARGEST = 64_000
"""Characters of a result."""
_TOLD = 5
"""Complaints that the model is told of, and a person."""
_WHO = f"You fill in forms about phone calls between a caller and an agent, as JSON and nothing else. {CALL_IS_TOLD}"
_ASKED = """
Fill this JSON schema about the call above. Take only what was said in it; leave out what is not required and was not said. \
Answer with the one JSON object, without explanation:
"""


@dataclass(frozen=True, slots=True)
class Made:
    """`result`: None where there is none, and then `error` says why."""

    result: Mapping[str, Any] | None
    error: str = ""


class Results:
    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def of(self, log: Reading, session: str, spec: ResultSpec, collected: Mapping[str, Any]) -> Made:
        """`collected`: the agent's fields and their values. Asked twice at most, the second time with what was wrong.
        ProviderError: the endpoint did something else than answer."""
        schema = spec.schema
        if not isinstance(schema, dict):
            return Made(
                None, f'result.schema = "{schema}": a file beside the agent\'s, which a draft has not; give a table'
            )
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            return Made(None, f"result.schema is no JSON schema: {_told(error)}; mend it in the agent's file")
        said = await transcript(log, session)
        if not said:
            return Made(None, "nothing was said")
        asked = f"<call>\n{said}\n</call>\n{_noted(collected)}{_ASKED}{json.dumps(schema, ensure_ascii=False)}"
        if spec.instructions:
            asked += f"\n{spec.instructions}"
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": _WHO},
            {"role": "user", "content": asked},
        ]
        wrong: list[str] = []
        for _ in range(2):
            answer = await self._asking.ask(messages, _TOKENS, 0.0)
            found = json_of(answer)
            wrong = complaints(schema, found)
            if not wrong and isinstance(found, dict):
                return Made(found)
            messages = [
                *messages[:2],
                {"role": "assistant", "content": answer[:4_000] or "{}"},
                {
                    "role": "user",
                    "content": f"That is not right: {'; '.join(wrong)}. Answer with the mended JSON object only.",
                },
            ]
        return Made(None, f"{self._asking.model} filled the schema wrongly, twice: {'; '.join(wrong)}"[:1_000])


def _noted(collected: Mapping[str, Any]) -> str:
    return f"The agent noted: {json.dumps(dict(collected), ensure_ascii=False)}\n" if collected else ""


def json_of(answer: str) -> Any:
    """The JSON object in what a model wrote, with or without fences and words around it; None: there is none."""
    decoder = json.JSONDecoder(parse_constant=lambda name: None)
    for found in list(re.finditer(r"\{", answer))[:50]:
        try:
            value, _ = decoder.raw_decode(answer, found.start())
        except (ValueError, RecursionError):
            continue
        return value
    return None


def complaints(schema: Mapping[str, Any], found: Any) -> list[str]:
    """What is wrong with a result, a sentence each; nothing: it fits."""
    if not isinstance(found, dict):
        return ["there is no JSON object in it"]
    if len(json.dumps(found)) > _LARGEST:
        return [f"it has more than {_LARGEST} characters"]
    if too_deep(found):
        return [f"it is nested more than {DEEPEST} deep"]
    validator = Draft202012Validator(schema, registry=Registry())  # nothing is fetched
    try:
        return [_told(error) for _, error in zip(range(_TOLD), validator.iter_errors(found), strict=False)]
    except Exception as error:  # a reference that leads nowhere, a pattern that is none
        return [f"the schema can't be used: {type(error).__name__}: {one_line(str(error), 200)}"]


def _told(error: ValidationError | SchemaError) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    return f"{where + ': ' if where else ''}{one_line(error.message, 200)}"
