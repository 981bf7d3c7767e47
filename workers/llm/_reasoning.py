"""What a model writes for itself, between marks in its text: neither said nor kept. Pure: text in, text out.

Reasoning in any of its marks (`<think>`, `[THINK]`, `◁think▷`, channels of `<|channel|>`, …), tool calls that the endpoint
did not recognise, and the marks of a chat template, with the name of who speaks. Where the template itself opens the
reasoning, only its end is seen: then all before it was reasoning, too. What follows the mark that ends a turn is the model
talking on for somebody else, and not shown.
"""

import re
from dataclasses import dataclass

__all__ = ["Hidden", "Shown"]

_THOUGHTS = (
    "think", "thinking", "thought", "thoughts", "reasoning", "reason", "reflection", "analysis", "scratchpad",
    "inner_monologue", "internal_thoughts", "antthinking",
)  # fmt: skip
_CALLS = ("tool_call", "tool_calls", "function_call", "function_calls", "toolcall")
_TEMPLATE = ("s", "end_of_turn", "eos", "bos")
_WRAPS = ("answer", "response", "final_answer", "output", "solution")
"""What the reply itself is put in: the marks go, the words are said."""
_SPACES = ("seed:", "antml:", "minimax:")
_NAME = "|".join((*_THOUGHTS, *_CALLS))
_BRACKETED = (
    "[think]", "[/think]", "[thinking]", "[/thinking]", "[tool_calls]", "◁think▷", "◁/think▷", "[begin final response]",
    "[end final response]", "[inst]", "[/inst]",
)  # fmt: skip
_MARK = re.compile(
    rf"""<(?P<close>/?)\s*(?:{"|".join(_SPACES)})?(?:(?P<name>{_NAME})(?:\s[^<>]*)?|(?P<function>function=[^<>]*|(?<=/)function))>
    |\[(?P<close2>/?)(?P<name2>think|thinking|tool_calls)\]
    |◁(?P<close3>/?)(?P<name3>think)▷
    |(?P<who><\|start\|>[^<>\n]{{0,60}})?<\|channel\|?>\s*(?P<channel>[a-z]+)(?P<to>[^<>\n]*)
        (?:<\|constrain\|>[^<>\n]*)?(?:<\|message\|>|(?=\n))
    |(?P<ends><channel\|>)
    |(?:<\|(?:im_start|start_header_id)\|>|<start_of_turn>)\s*(?P<role>[a-z]+)\s*(?:<\|end_header_id\|>|\n)
    |(?P<over><[|｜](?:im_end|eot_id|eom_id|endoftext|end_of_text|end▁of▁sentence)[|｜]>|<end_of_turn>|</s>|\[/?inst\])
    |(?P<reply>\[begin\ final\ response\])
    |\[end\ final\ response\]
    |<[|｜](?!(?:channel|constrain|start|im_start|start_header_id)[|｜])(?P<special>[^<>|｜\n]{{1,40}})[|｜]>
    |<(?P<struck>s)>
    |</?(?:{"|".join((*_TEMPLATE, *_WRAPS))})>""",
    re.IGNORECASE | re.VERBOSE,
)
_HEADER = r"(?:<[|｜](?:channel|start|im_start|start_header_id)[|｜]?>|<start_of_turn>)"
_LAST_OPENING = re.compile(rf"(?:{_HEADER}[^\n]*|[<\[◁][^<\[◁\n]*)\Z", re.IGNORECASE)
_TAG_SO_FAR = re.compile(r"</?\s*(?:[a-z]+:)?(?P<name>[a-z_]*)(?P<more>[\s=][^<>]*)?\Z", re.IGNORECASE)
_LONGEST_MARK = 120
_SPOKEN = frozenset({"final", "response", "answer", "commentary"})
"""Channels that are said."""
_US = frozenset({"assistant", "model"})

_CODE_CALL = re.compile(r"\s*```tool_(?:code|call)s?\b")
_CODE_CALL_SO_FAR = re.compile(r"\s*(?:`{1,2}|```[a-z_]{0,9})\Z")
_MOST_WRITTEN = 64_000


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
        self._begun = self._struck = self._over = False
        self.written = ""
        """What it wrote as tool calls, as far as that is bounded."""
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
        while (mark := _MARK.search(self._buffer)) is not None and not self._over:
            before, self._buffer = self._buffer[: mark.start()], self._buffer[mark.end() :]
            thought = thought or bool(self._within)
            out += "" if self._within else before
            self._keep(before)
            kind, closes = _kind(mark)
            if mark["function"]:
                self._keep(mark.group(), always=True)
            if mark["channel"] and not kind and (out.strip() or self._begun):
                out += "\n"  # what was said in another channel is another sentence
            called = called or (kind in _CALLS and not closes)
            self._struck = self._struck or (mark["struck"] is not None and bool(out.strip() or self._begun))
            if closes and kind and not self._within and kind not in _CALLS:
                out, forget, thought = "", True, True
                self.unopened, self._held = True, False
            elif closes:
                self._within = self._within if mark["function"] and self._within != "function_call" else ""
            elif kind:
                self._within, self._held = self._within or kind, False
            self._over = _ends_turn(mark, self._struck) and bool(out.strip() or self._begun)
        if self._over:
            self._buffer = ""
        if self._held:
            self._buffer = out + self._buffer
            return Shown("", forget, thought, called)
        if not self._begun and not self._within and not self._over:
            out, self._buffer = "", out + self._buffer
            code = self._code(final)
            if code is None:
                return Shown("", forget, thought, called)
            called = called or code
        end = len(self._buffer) if final else _safe(self._buffer)
        rest, self._buffer = self._buffer[:end], self._buffer[end:]
        thought = thought or bool(self._within and rest)
        self._keep(rest)
        shown = out if self._within else out + rest
        self._begun = self._begun or bool(shown.strip())
        return Shown(re.sub(_HEADER + r"[^<>\n]*\Z", "", shown) if final else shown, forget, thought, called)

    def _keep(self, text: str, *, always: bool = False) -> None:
        if (always or self._within in _CALLS) and len(self.written) < _MOST_WRITTEN:
            self.written += text

    def _code(self, final: bool) -> bool | None:
        """Whether what begins is nothing but a call, in a fence for these; None: it can't be told yet."""
        if _CODE_CALL.match(self._buffer):
            self._within = "tool_call"
            return True
        return None if _CODE_CALL_SO_FAR.match(self._buffer) and not final else False


def _ends_turn(mark: re.Match[str], struck: bool) -> bool:
    """Whether what follows is no longer the model's to say."""
    if mark["role"]:
        return mark["role"].lower() not in _US
    return mark["over"] is not None and not (struck and mark["over"].lower() == "</s>")


def _kind(mark: re.Match[str]) -> tuple[str, bool]:
    """Of what this is a mark ("" for a template's own, which shows nothing), and whether it ends what is hidden."""
    if mark["channel"]:
        if "to=" in mark["to"] or "to=" in (mark["who"] or ""):
            return "tool_call", False
        return ("", True) if mark["channel"].lower() in _SPOKEN else ("analysis", False)
    if mark["ends"] or mark["over"] or mark["role"]:
        return "", True
    if mark["reply"]:
        return "thought", True
    if mark["function"]:
        return "function_call", mark["close"] == "/"
    if mark["special"]:
        name = mark["special"].lower()
        ends = name.startswith(("/", "end", "return", "call")) or name.endswith(("end", "ends"))
        if ("tool" in name and "call" in name) or "action" in name or name == "python_tag":
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
    if begun.startswith(("<|", "<｜", "<start_of_turn>")):
        return found.start()
    if begun[0] != "<":
        return found.start() if any(mark.startswith(begun) for mark in _BRACKETED) else len(text)
    tag = _TAG_SO_FAR.match(begun)
    if tag is None:
        return found.start() if "<channel|>".startswith(begun) else len(text)
    names = (*_THOUGHTS, *_CALLS, *_TEMPLATE, *_WRAPS, "channel", "start_of_turn", "function")
    name, known = tag["name"], tag["more"] is not None
    fits = name in names if known else any(each.startswith(name) for each in (*names, *_SPACES))
    return found.start() if fits else len(text)
