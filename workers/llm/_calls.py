"""Tool calls, as endpoints give them and as models write them. Pure.

An endpoint that knows a model's way of calling gives them apart from the text, in pieces. Small local models write them as plain
content: one JSON object, or several, that names a tool; doubled braces are theirs, too.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workers.providers import CalledTool

__all__ = ["KEYS", "CallPiece", "Pieces", "plain", "written"]

MOST = 16
"""Calls at once."""
LONGEST = 32_000
"""Characters of one call's arguments."""
_NAMES = ("name", "function", "tool", "tool_name", "function_name")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "tool_input", "function_args")
KEYS = frozenset((*_NAMES, *_ARGUMENTS, "type", "id", "call_id", "tool_call_id", "tool_calls", "calls"))
"""Of what models write as calls."""
_BEGINS = re.compile(r"[\[{]")
_IN_VAIN = 200
"""Brackets that begin no JSON, after which no more is looked for: each is read as far as it goes."""
_FUNCTION = re.compile(r"<function=(?P<name>[\w-]{1,64})>(?P<rest>.*?)(?:</function>|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CallPiece:
    index: int
    name: str = ""
    arguments: str = ""
    id: str = ""


class Pieces:
    """Calls that come in pieces, by index; where an endpoint counts none, another id or name begins another call."""

    def __init__(self) -> None:
        self._calls: list[list[Any]] = []

    def add(self, pieces: Iterable[CallPiece]) -> None:
        for piece in pieces:
            call = next((call for call in reversed(self._calls) if call[0] == piece.index), None)
            if call is None or _another(call, piece):
                if len(self._calls) >= MOST:
                    return
                call = [piece.index, "", "", piece.id]
                self._calls.append(call)
            call[1] = call[1] or piece.name
            if call[2].strip() == "{}" and piece.arguments.lstrip().startswith("{"):
                call[2] = ""  # it only held the place
            if len(call[2]) <= LONGEST:
                call[2] += piece.arguments

    def calls(self) -> tuple[CalledTool, ...]:
        """Each once: some give one twice, with its id."""
        once = {(id or place, name, text): None for place, (_, name, text, id) in enumerate(self._calls) if name}
        return tuple(CalledTool(name, _arguments(text), text) for _, name, text in once)


def _another(call: list[Any], piece: CallPiece) -> bool:
    """Whether a piece of the same index begins another call: it has a name, and another id, or whole arguments behind whole
    ones."""
    if not (piece.name and call[1]):
        return False
    if piece.id and call[3] and piece.id != call[3]:
        return True
    if piece.id and piece.id == call[3] and call[2].strip() == "{}":
        return False
    return _whole(call[2]) and _whole(piece.arguments)


def _whole(text: str) -> bool:
    return bool(text.strip()) and _arguments(text) is not None


def _arguments(text: str) -> dict[str, Any] | None:
    if not text.strip():
        return {}
    if len(text) > LONGEST:
        return None
    try:
        value = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    if value is None:
        return {}
    return value if isinstance(value, dict) else None


def _no_number(name: str) -> None:
    """NaN and Infinity, which Python would read: JSON has neither, and no log keeps them."""
    raise ValueError(f"{name} is no JSON")


def plain(name: str) -> str:
    """A tool's name as far as it counts: some write `functions.book_table` or `Book-Table`."""
    return name.rpartition(".")[2].replace("-", "_").strip().casefold()


def written(
    text: str, takes: Mapping[str, Collection[str]] | None = None, skips: Callable[[Any], bool] = lambda value: False
) -> tuple[CalledTool, ...]:
    """The calls in what a model wrote for itself; () where none can be made out. `takes`: parameters by the tool's plain name:
    then one whose arguments stand beside its name is understood, too; `skips`: values that are none."""
    if len(text) > LONGEST * 2 + 1:
        return ()
    matches = [match for match in _FUNCTION.finditer(text) if not skips(match.group())]
    found = [_of_function(match) for match in matches]
    if not found:
        found = [one for value in _values(text) if not skips(value) for one in _calls(value, takes)]
    return tuple(found[:MOST])


def _of_function(match: re.Match[str]) -> CalledTool:
    values = list(_values(match["rest"]))
    if values and isinstance(values[0], dict):
        return CalledTool(match["name"], values[0])
    parameters = re.findall(r"<parameter=([\w-]{1,64})>\s*(.*?)\s*</parameter>", match["rest"], re.DOTALL)
    return CalledTool(match["name"], dict(parameters))


def _calls(value: Any, takes: Mapping[str, Collection[str]] | None) -> Iterator[CalledTool]:
    if isinstance(value, list):
        for one in value:
            yield from _calls(one, takes)
    if not isinstance(value, dict):
        return
    inner = value.get("function")
    if isinstance(inner, dict):
        yield from _calls(inner, takes)
        return
    for many in ("tool_calls", "calls"):
        if isinstance(value.get(many), list):
            yield from _calls(value[many], takes)
            return
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    if name is None:
        return
    beside = {key: one for key, one in value.items() if key not in KEYS}
    if takes is not None and beside and not any(key in value for key in _ARGUMENTS):
        if beside.keys() <= set(takes.get(plain(name), ())):
            yield CalledTool(name, beside)
        return
    given: Any = next((value[key] for key in _ARGUMENTS if key in value), {})
    if isinstance(given, str):
        yield CalledTool(name, _arguments(given), given)
    elif isinstance(given, Mapping) or given is None:
        yield CalledTool(name, dict(given or {}))


def _values(text: str) -> Iterator[Any]:
    """The JSON values in a text, whatever stands between them; too many brackets that begin none are given up."""
    decoder, place, vain = json.JSONDecoder(parse_constant=_no_number), 0, 0
    text = _single(text)
    while vain < _IN_VAIN and (found := _BEGINS.search(text, place)) is not None:
        place = found.start()
        try:
            value, end = decoder.raw_decode(text, place)
        except RecursionError:
            return
        except ValueError:
            place, vain = place + 1, vain + 1
            continue
        yield value
        place = end


def _single(text: str) -> str:
    """`{{"name": …, "arguments": {{…}}}}` as it was meant."""
    if re.search(r"\{\{\s*\"", text) is None:
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text.replace("{{", "{").replace("}}", "}")
    return text
