"""docs/websocket.md says what schemas/client.py and the gateway do."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

import gateway
from gateway.rooms.websocket.room import AHEAD
from gateway.sound.playback import LEAD
from schemas.client import (
    LARGEST_FRAME,
    LONGEST_MESSAGE,
    MOST_DIGITS,
    START_WITHIN,
    ErrorCode,
    FromClient,
    ListeningMessage,
    ReadyMessage,
    StartMessage,
    StateMessage,
    ToClient,
    TurnMessage,
    from_client,
    from_gateway,
)
from schemas.config.agent import Limits
from schemas.events import CommitReason, Stage, TurnEnded
from schemas.session.ends import ENDS
from schemas.session.words import _REASON

DOCS = (Path(gateway.__file__).parents[1] / "docs" / "websocket.md").read_text()
GATEWAY = Path(gateway.__file__).parent
CODE = re.compile(r"`([^`]+)`")

OTHERS = {"anew", "exists", "room"}
"""Codes of refusals that no WebSocket client meets: of LiveKit rooms, which have an agent already, or are not there."""


def rows(section: str) -> dict[str, tuple[str, str]]:
    """The table of a section: type → the cells behind it."""
    _, _, text = DOCS.partition(f"\n## {section}\n")
    text, _, _ = text.partition("\n## ")
    cells = [[cell.strip() for cell in line.split("|")[1:4]] for line in text.splitlines() if line.startswith("| `")]
    return {kind.strip("`"): (fields, meaning) for kind, fields, meaning in cells}


def classes(union: Any) -> dict[str, type[BaseModel]]:
    found = get_args(get_args(union)[0])
    return {get_args(cls.model_fields["type"].annotation)[0]: cls for cls in found}


def values(cls: type[BaseModel], field: str) -> list[Any]:
    return list(get_args(cls.model_fields[field].annotation))


@pytest.mark.parametrize(("section", "union"), [("From the client", FromClient), ("From the gateway", ToClient)])
def test_the_tables_are_the_classes(section: str, union: Any) -> None:
    """Every message has its row, and every row its fields: none is missing, on either side."""
    told = {kind: CODE.findall(fields) for kind, (fields, _) in rows(section).items()}
    assert told == {kind: [name for name in cls.model_fields if name != "type"] for kind, cls in classes(union).items()}


def test_the_examples_are_messages() -> None:
    """Whoever copies one of them is understood."""
    start, ready, listening = [json.loads(line) for line in re.findall(r"^    (\{.*\})$", DOCS, re.M)]
    assert isinstance(from_client(start), StartMessage)
    assert isinstance(from_gateway(json.dumps(ready)), ReadyMessage)
    assert start["type"] == "start"
    assert set(listening) == set(ListeningMessage.model_validate(listening).model_fields_set)
    assert set(ready) == set(ReadyMessage.model_fields) - {"warnings", "talk"}  # left out where there is nothing to say
    for example in re.findall(r"`(\{.*?\})`", DOCS):
        assert from_client(json.loads(example))


def test_the_values_are_those_of_the_classes() -> None:
    """A field that takes only some values says which."""
    heard, said = rows("From the gateway"), rows("From the client")
    assert CODE.findall(heard["state"][1]) == values(StateMessage, "state")
    assert CODE.findall(heard["turn"][1]) == [*values(TurnMessage, "how"), "why", *get_args(CommitReason), "heard"]
    assert values(TurnMessage, "why") == ["", *get_args(CommitReason)]
    assert values(TurnMessage, "how") == values(TurnEnded, "how")
    *rates, last = values(StartMessage, "rate")
    assert f"`rate` is {', '.join(map(str, rates))} or {last}:" in DOCS
    assert said["message"][0] == f"`text` (≤ {LONGEST_MESSAGE} characters)"
    assert said["dtmf"][0] == f"`digits` (1 to {MOST_DIGITS})"
    assert from_client({"type": "dtmf", "digits": "0123456789*#ABCD"})
    assert "0-9*#A-D" in said["dtmf"][1]


@pytest.mark.parametrize(
    "sentence",
    [
        f"# The WebSocket room, protocol version {values(StartMessage, 'version')[0]}",
        f"The client's first frame, within {START_WITHIN:.0f} s:",
        f"the session waits {Limits().client_gone:.0f} s (`limits.client_gone`)",
        f"any even number of bytes up to {LARGEST_FRAME:,} is accepted",
        f"a frame over {LARGEST_FRAME // 1024} KiB",
        f"Up to {AHEAD:.0f} s may run ahead of real time",
        f"sent at most {LEAD * 1000:.0f} ms ahead of real time",
    ],
)
def test_the_bounds_are_those_of_the_gateway(sentence: str) -> None:
    """What the text says of times and sizes is what holds."""
    assert sentence in " ".join(DOCS.split())


def test_the_codes_of_errors_are_those_the_gateway_gives() -> None:
    """Each code that can come is listed, and none that can't."""
    _, _, text = DOCS.partition("Codes of errors:")
    listed = CODE.findall(text.partition("Of many mistakes")[0])
    assert listed == [*get_args(ErrorCode), *(f"{stage}_…" for stage in get_args(Stage))]
    assert set(_given()) - OTHERS == set(get_args(ErrorCode))


def test_the_reasons_are_those_there_are() -> None:
    """Each `how` has its row with just the reasons that turn-taking gives; and those of the session's end are all listed."""
    (_, *cells) = [line.split("|")[1:3] for line in DOCS.splitlines() if re.match(r"\| `\w+`.*\| `", line)]
    listed = {how.strip().strip("`").partition("`")[0]: set(CODE.findall(reasons)) for how, reasons in cells}
    given = _reasons()
    assert {how: listed[how] for how in values(TurnMessage, "how")} == given
    assert set().union(*given.values()) == set(_REASON)
    _, _, ends = DOCS.partition("`reason` of `ended`: ")
    assert set(CODE.findall(ends.partition("\n\n")[0])) == set(ENDS)


def _reasons() -> dict[str, set[str]]:
    """How turns end, and why, as `turn.ended` documents it."""
    text = " ".join((TurnEnded.__doc__ or "").split())
    text = re.sub(r": [^,·)]*(?=[,)])", "", text.partition("`reason`: ")[2].partition(". `session`")[0])
    return {how: set(why.split(", ")) for how, why in re.findall(r"(\w+) \(([^)]*)\)", text)}


def _given() -> Iterator[str]:
    """Codes that stand in the gateway's sources where an error, or a refusal that becomes one, is made."""
    places = {"TurnedAway": 0, "Refused": 1, "_complain": 1}
    for file in GATEWAY.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "(code, error)":
                assert isinstance(node.value, ast.Tuple)
                yield from _text(node.value.elts[0])
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if name in places and len(node.args) > places[name]:
                yield from _text(node.args[places[name]])
            if name == "ErrorMessage":
                yield from (code for keyword in node.keywords if keyword.arg == "code" for code in _text(keyword.value))


def _text(node: ast.expr) -> list[str]:
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
