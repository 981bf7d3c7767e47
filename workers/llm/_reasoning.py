"""What a model writes for itself, between marks in its text: neither said nor kept. Pure: text in, text out.

Reasoning in any of its marks (`<think>`, `[THINK]`, `◁think▷`, channels of `<|channel|>`, …), tool calls that the endpoint
did not recognise, and the marks of a chat template. Where the template itself opens the reasoning, only its end is seen:
then all before it was reasoning, too.
"""

import re
from dataclasses import dataclass

__all__ = ["Hidden", "Shown"]

_THOUGHTS = (
    "think", "thinking", "thought", "thoughts", "reasoning", "reason", "reflection", "analysis", "scratchpad",
    "inner_monologue", "internal_thoughts", "antthinking",
)  # fmt: skip
_CALLS = ("tool_call", "tool_calls", "function_call", "function_calls", "toolcall")
_TEMPLATE = ("s", "end_of_turn", "start_of_turn", "eos", "bos")
_SPACES = ("seed:", "antml:")
_NAME = "|".join((*_THOUGHTS, *_CALLS))
_BRACKETED = ("[think]", "[/think]", "[thinking]", "[/thinking]", "[tool_calls]", "◁think▷", "◁/think▷")
_MARK = re.compile(
    rf"""<(?P<close>/?)\s*(?:{"|".join(_SPACES)})?(?P<name>{_NAME})(?:\s[^<>]*)?>
    |\[(?P<close2>/?)(?P<name2>think|thinking|tool_calls)\]
    |◁(?P<close3>/?)(?P<name3>think)▷
    |<\|channel\|?>\s*(?P<channel>[a-z]+)(?P<to>[^<>\n]*)(?:<\|constrain\|>[^<>\n]*)?(?:<\|message\|>|(?=\n))
    |(?P<ends><channel\|>)
    |<[|｜](?!channel)(?P<special>[^<>|｜\n]{{1,40}})[|｜]>
    |</?(?:{"|".join(_TEMPLATE)})>""",
    re.IGNORECASE | re.VERBOSE,
)
_LAST_OPENING = re.compile(r"(?:<[|｜]channel[|｜]?>[^\n]*|[<\[◁][^<\[◁\n]*)\Z", re.IGNORECASE)
_TAG_SO_FAR = re.compile(r"</?\s*(?:[a-z]+:)?(?P<name>[a-z_]*)(?P<more>\s[^<>]*)?\Z", re.IGNORECASE)
_LONGEST_MARK = 120
_SPOKEN = frozenset({"final", "response", "answer", "commentary"})
"""Channels that are said."""


@dataclass(frozen=True, slots=True)
class Shown:
    """`text`: to be said; `forget`: what was shown before and isn't said yet was reasoning; `thought`: some was hidden;
    `called`: a tool call was among it."""

    text: str = ""
    forget: bool = False
    thought: bool = False
    called: bool = False


class Hidden:
    """`feed` what streams in, say what it shows, `flush` at the end.

    `held`: this model is known to end a reasoning that it never begins: nothing is shown until then, or until the end.
    """

    def __init__(self, held: bool = False):
        self._buffer = ""
        self._within = ""
        self._held = held
        self.unopened = False
        """Its reasoning ended without having begun."""

    def feed(self, text: str) -> Shown:
        self._buffer += text
        return self._show(final=False)

    def flush(self) -> Shown:
        self._held = False
        return self._show(final=True)

    def _show(self, final: bool) -> Shown:
        out = ""
        forget = thought = called = False
        while (mark := _MARK.search(self._buffer)) is not None:
            before, self._buffer = self._buffer[: mark.start()], self._buffer[mark.end() :]
            thought = thought or bool(self._within)
            out += "" if self._within else before
            kind, closes = _kind(mark)
            called = called or (kind in _CALLS and not closes)
            if closes and kind and not self._within and kind not in _CALLS:
                out, forget, thought = "", True, True
                self.unopened, self._held = True, False
            elif closes:
                self._within = ""
            elif kind:
                self._within, self._held = self._within or kind, False
        if self._held:
            self._buffer = out + self._buffer
            return Shown("", forget, thought, called)
        end = len(self._buffer) if final else _safe(self._buffer)
        rest, self._buffer = self._buffer[:end], self._buffer[end:]
        thought = thought or bool(self._within and rest)
        return Shown(out if self._within else out + rest, forget, thought, called)


def _kind(mark: re.Match[str]) -> tuple[str, bool]:
    """Of what this is a mark ("" for a template's own, which shows nothing), and whether it ends what is hidden."""
    if mark["channel"]:
        if "to=" in mark["to"]:
            return "tool_call", False
        return ("", True) if mark["channel"].lower() in _SPOKEN else ("analysis", False)
    if mark["ends"]:
        return "", True
    if mark["special"]:
        name = mark["special"].lower()
        ends = name.startswith(("/", "end", "im_end", "eot", "return", "call")) or name.endswith(("end", "ends"))
        if "tool" in name and "call" in name:
            return "tool_call", ends
        if any(word in name for word in ("think", "thought", "reasoning")):
            return "thought", ends
        return "", ends
    name = mark["name"] or mark["name2"] or mark["name3"]
    return (name or "").lower(), bool(name and (mark["close"] or mark["close2"] or mark["close3"]))


def _safe(text: str) -> int:
    """How much of `text` can't be the beginning of a mark that goes on."""
    found = _LAST_OPENING.search(text, max(0, len(text) - _LONGEST_MARK))
    if found is None:
        return len(text)
    begun = found.group().lower()
    if begun.startswith(("<|", "<｜")):
        return found.start()
    if begun[0] != "<":
        return found.start() if any(mark.startswith(begun) for mark in _BRACKETED) else len(text)
    tag = _TAG_SO_FAR.match(begun)
    if tag is None:
        return found.start() if "<channel|>".startswith(begun) else len(text)
    names = (*_THOUGHTS, *_CALLS, *_TEMPLATE, "channel")
    name, known = tag["name"], tag["more"] is not None
    fits = name in names if known else any(each.startswith(name) for each in (*names, *_SPACES))
    return found.start() if fits else len(text)
