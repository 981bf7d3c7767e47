"""Who calls: by a script, or played by a model that knows what they want."""

import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ops.simulate.model import Model
from ops.simulate.observed import Spoken, observed
from ops.simulate.scenario import Caller
from ops.simulate.tempers import in_words
from schemas.errors import AntiphonError
from schemas.events import Event

__all__ = ["Played", "Playing", "Scripted", "TooLong", "said_by", "who_plays"]

_LONGEST = 400
"""Characters of a line."""
_END = re.compile(r"[\[(<*]*\b(?:END|HANG[ _]UP|GOODBYE_END)\b[\])>*]+|^\s*\[?(?:END|HANG UP)\]?\s*$", re.IGNORECASE)
_STAGE = re.compile(r"\*[^*\n]{1,200}\*|\([^()\n]{1,200}\)|\[[^\[\]\n]{1,200}\]")
_NAMED = re.compile(r"^(?:the )?(?:caller|customer|user|me|you)\s*:\s*", re.IGNORECASE)


Log = Callable[[], Awaitable[Sequence[Event]]]


class TooLong(AntiphonError):
    """A caller who would not come to an end."""


class Playing(Protocol):
    @property
    def goes_on(self) -> bool:
        """Whether they mean to say more, after what they said last."""

    @property
    def thinks(self) -> bool:
        """Whether a model is asked at this moment what they say."""

    async def next(self, log: Log) -> str | None:
        """What they say now, after what stands in the log; None: they hang up."""


class Scripted:
    """Says these lines, one after another, whatever the agent says."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = deque(lines)

    thinks = False

    @property
    def goes_on(self) -> bool:
        return bool(self._lines)

    async def next(self, log: Log) -> str | None:
        return self._lines.popleft() if self._lines else None


class Played:
    """Remembers what it said, however that was heard. TooLong: the goal was not reached within the caller's `turns`."""

    def __init__(self, caller: Caller, model: Model) -> None:
        self._caller, self._model = caller, model
        self._count = 0
        self._known: list[Spoken] = []
        """The conversation as this caller knows it."""
        self._over = False
        self.thinks = False

    @property
    def goes_on(self) -> bool:
        return not self._over

    async def next(self, log: Log) -> str | None:
        if self._over:
            return None
        if self._count >= self._caller.turns:
            raise TooLong(f"the caller had not reached an end after {self._count} lines (caller.turns)")
        heard = {line.turn for line in self._known if line.who == "agent"}
        transcript = observed(await log()).transcript
        self._known += [line for line in transcript if line.who == "agent" and line.turn not in heard]
        messages = [{"role": "system", "content": _told(self._caller)}, *_flipped(self._known)]
        for seed in (self._count, self._count + 1_000):  # one that is silent is asked once more
            self.thinks = True
            answer = await self._model.ask(messages, tokens=120, temperature=0.7, seed=seed)
            self.thinks = False
            said, self._over = said_by(answer)
            if said or self._over:
                break
        else:
            raise AntiphonError("the model that plays the caller says nothing; try another SIMULATE_LLM_MODEL")
        self._count += 1
        self._known.append(Spoken("caller", said))
        return said or None


def who_plays(caller: Caller, model: Model | None) -> Playing:
    if caller.lines:
        return Scripted(caller.lines)
    assert model is not None
    return Played(caller, model)


def said_by(answer: str) -> tuple[str, bool]:
    """What a model's answer has the caller say, and whether they hang up then: no stage directions, no name before it, the first
    paragraph only."""
    over = _END.search(answer) is not None
    text = _STAGE.sub(" ", _END.sub(" ", answer)).strip()
    text = _NAMED.sub("", text.split("\n\n")[0].strip())
    text = " ".join(text.split("\n")[0].split()).strip(" \"“”'")
    if len(text) > _LONGEST:
        text = text[:_LONGEST].rsplit(" ", 1)[0]
    return text, over


def _told(caller: Caller) -> str:
    facts = "\n".join(f"- {fact}" for fact in caller.facts)
    tempers = " ".join(in_words[temper] for temper in caller.temper)
    parts = [
        "You play a person on the telephone, who has called a company's voice agent. You are the caller, never the agent.",
        f"Who you are: {caller.persona}" if caller.persona else "",
        f"What you want: {caller.goal}",
        f"What you know, and say only when you are asked or need it:\n{facts}" if facts else "",
        tempers,
        "Say one short spoken sentence at a time, as people do on the telephone: no lists, no stage directions, no quotes. "
        "Never make up what the agent should tell you. When you have what you want, or it can't be had, say goodbye and write "
        "[END] behind it.",
    ]
    return "\n\n".join(part for part in parts if part)


def _flipped(known: Sequence[Spoken]) -> list[dict[str, str]]:
    """The agent is the other one. Somebody has to begin."""
    messages: list[dict[str, str]] = []
    for line in known:
        role = "assistant" if line.who == "caller" else "user"
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f" {line.text}"
        else:
            messages.append({"role": role, "content": line.text})
    if not messages or messages[0]["role"] != "user":
        messages.insert(0, {"role": "user", "content": "(The line is open. You speak first.)"})
    if messages[-1]["role"] != "user":
        messages.append({"role": "user", "content": "(Silence.)"})
    return messages
