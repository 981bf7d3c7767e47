"""What is said in a call, as it is said: the words so far on either side, and a line for what is over."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.client import (
    ErrorMessage,
    MetricsMessage,
    ReadyMessage,
    SentenceMessage,
    StateMessage,
    ToClient,
    TranscriptMessage,
    TurnMessage,
    WordsMessage,
)

Line = tuple[str, str, str]
"""Who, what, in which style."""


@dataclass(slots=True)
class Said:
    """Fed with every message; `position`: the sample of the agent's sound that is heard now."""

    state: str = ""
    _rate: int = 24_000
    _users: dict[str, str] = field(default_factory=dict)
    _final: dict[str, bool] = field(default_factory=dict)
    _sentences: dict[tuple[int, int], str] = field(default_factory=dict)
    _words: dict[tuple[int, int], dict[int, list[tuple[str, float]]]] = field(default_factory=dict)

    def message(self, message: ToClient) -> Iterator[Line]:
        """The lines that are finished with it."""
        match message:
            case ReadyMessage(session=session, resumed=resumed, rate=rate):
                self._rate = rate
                yield "", "the line was lost, and is there again" if resumed else f"session {session}", "dim"
                yield from (("look", warning, "yellow") for warning in message.warnings)
            case StateMessage(state=state):
                self.state = state
            case TranscriptMessage(utterance=utterance, text=text, final=final):
                self._users[utterance], self._final[utterance] = text, final
            case SentenceMessage(turn=turn, index=index, text=text, spoken=spoken):
                yield from self._users_are_done()
                self._sentences[turn, index] = text
                if not spoken:
                    yield "agent", f"{text} (as text: its sound could not be made)", "green"
            case WordsMessage(turn=turn, index=index, part=part, offset=offset, words=words):
                due = [(text, offset + start * self._rate) for text, start, _ in words]
                self._words.setdefault((turn, index), {})[part] = due
            case MetricsMessage():
                yield from latency(message)
            case TurnMessage(turn=turn, reason="taken_back"):
                yield from self._turn_is_over(turn, "dropped", "")
                yield "", "begun anew: you went on", "dim"
            case TurnMessage(turn=turn, how=how, heard=heard):
                yield from self._turn_is_over(turn, how, heard)
            case ErrorMessage(message=text):
                yield "error", text, "red"
            case _:
                pass

    def now(self, position: float) -> tuple[str, str]:
        """Who speaks, and the words until now; ("", "") where nobody does."""
        heard = " ".join(filter(None, (self._heard(key, position) for key in sorted(self._sentences))))
        if heard:
            return "agent", heard
        words = " ".join(filter(None, self._users.values()))
        return ("you", words) if words else ("", "")

    def end(self) -> Iterator[Line]:
        """What nobody has answered."""
        yield from self._users_are_done()

    def _heard(self, key: tuple[int, int], position: float) -> str:
        timed = self._words.get(key)
        if timed is None:
            return ""
        return " ".join(text for _, words in sorted(timed.items()) for text, due in words if due <= position)

    def _withdraw(self, utterance: str) -> None:
        self._users.pop(utterance, None)
        self._final.pop(utterance, None)

    def _users_are_done(self) -> Iterator[Line]:
        for utterance, final in tuple(self._final.items()):
            if final:
                text = self._users[utterance]
                self._withdraw(utterance)
                if text:
                    yield "you", text, "cyan"

    def _turn_is_over(self, turn: int, how: str, heard: str) -> Iterator[Line]:
        yield from self._users_are_done()
        for known in (self._sentences, self._words):
            for key in [key for key in known if key[0] == turn]:
                del known[key]
        if heard:
            yield "agent", f"{heard} …" if how == "interrupted" else heard, "green"
        if how == "interrupted":
            yield "", "interrupted", "yellow"


_STEPS = (("tts", "first clip"), ("llm", "first token"), ("stt", "words"))
"""What an answer is made of, the last first."""


def latency(metrics: MetricsMessage) -> Iterator[Line]:
    """How long an answer took, in parts that sum to it: what each stage took, and the rest, in which something was waited for
    (the end of the turn, a queue, the rest of a sentence). Nothing of an answer that did not sound."""
    if metrics.first_sound is None:
        return
    left = whole = round(metrics.first_sound * 100)
    parts: list[str] = []
    for stage, name in _STEPS:
        if (took := getattr(metrics, stage)) is not None:
            part = min(round(took * 100), left)  # nobody waited for what was done while they still spoke
            left -= part
            parts.insert(0, f"{name} {part / 100:.2f}")
    if parts and left:
        parts.append(f"other {left / 100:.2f}")
    told = [", ".join(parts)] if parts else []
    if metrics.end_of_turn:
        told.append(f"sure of the turn's end after {metrics.end_of_turn:.2f}")
    yield "", f"answered after {whole / 100:.2f} s" + (f" ({'; '.join(told)})" if told else ""), "dim"


def meter(level: float, cells: int = 12) -> str:
    """How loud it is, from -60 to 0 dB of full scale."""
    lit = 0 if level <= 1e-3 else min(cells, round(cells * (1 + math.log10(level) / 3)))
    return "▮" * lit + "▯" * (cells - lit)
