"""What came of a conversation, read from its log: who said what, which tools were called, how it ended. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.client import MetricsMessage, ToClient
from schemas.events import (
    Event,
    FieldCollected,
    MessageReceived,
    PlaybackStarted,
    ReplySentence,
    SessionEnded,
    SessionStarted,
    StageExpired,
    StageFailed,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.session.state import OWN, TAKEN_BACK

__all__ = ["Observed", "Spoken", "ToolUse", "observed"]

_NOT_BY_ITSELF = frozenset({"hang_up", "client_gone", "gateway_lost", "room_closed", "error", "limit", ""})
"""Reasons of an end that is none of the agent's doing."""
MOST_SHOWN = 300
"""Characters of a tool's result in a transcript."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """`came`: its result, or its error (`failed`); "" while it has not returned."""

    name: str
    arguments: dict[str, Any]
    came: str = ""
    failed: bool = False
    returned: bool = False

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        came = f" ✗ {self.came}" if self.failed else f" → {self.came}" if self.returned else " …"
        return f"{self.name}({given}){came[:MOST_SHOWN]}"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line of the transcript. `text`: of the agent, as far as it was heard; `tool`: a call, `text` in words; `cut`: it was
    interrupted."""

    who: Literal["caller", "agent", "tool"]
    text: str
    turn: int | None = None
    cut: bool = False


@dataclass(slots=True)
class Observed:
    """`transcript`: in order; `begun`: sentences of the agent whose playback began, heard to the end or not; `latencies`:
    seconds, one a turn; `interrupted`: turns of the agent that the caller spoke over, for which it fell silent; `unanswered`:
    what of the caller's got no answer; `troubles`: what failed, in words; `end`: the reason, "" while it goes on; `fields`:
    collected, the last of each name; `variant`: of the agent, "" where it has none."""

    transcript: list[Spoken] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    tools: list[ToolUse] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    interrupted: int = 0
    unanswered: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    end: str = ""
    fields: dict[str, FieldCollected] = field(default_factory=dict)
    variant: str = ""

    @property
    def said(self) -> list[str]:
        """By the agent, as it was heard."""
        return [line.text for line in self.transcript if line.who == "agent"]

    @property
    def turns(self) -> int:
        """Lines of the caller."""
        return sum(line.who == "caller" for line in self.transcript)

    @property
    def ended_by_itself(self) -> bool:
        return self.end not in _NOT_BY_ITSELF

    @property
    def latency_p95(self) -> float | None:
        """Seconds; the nearest rank. None: nothing was answered."""
        ranked = sorted(self.latencies)
        return ranked[max(0, -(-len(ranked) * 95 // 100) - 1)] if ranked else None


def observed(events: Sequence[Event], messages: Iterable[ToClient] = ()) -> Observed:
    """`messages`: what the client was told: its latencies."""
    found = Observed()
    returned = {event.call: event for event in events if isinstance(event, ToolReturned)}
    sentences = {
        (event.turn, event.generation, event.index): event.text for event in events if isinstance(event, ReplySentence)
    }
    replaced = {event.replaces for event in events if isinstance(event, UtteranceCaptured) and event.replaces}
    committed = {event.turn: event.why for event in events if isinstance(event, TurnCommitted)}
    timed = [one for one in messages if isinstance(one, MetricsMessage) and committed.get(one.turn) not in OWN]
    found.latencies = [one.first_sound for one in timed if one.first_sound is not None]
    asked: dict[int | None, list[str]] = {}
    lines: list[tuple[int, Spoken]] = []
    spoke: dict[int | None, int] = {}
    """Where the latest sentence of a turn began: before what was said over it, behind the tools it waited for."""
    for event in events:
        seq = event.seq or 0
        match event:
            case MessageReceived(text=text):
                asked.setdefault(event.turn, []).append(text)
                lines.append((seq, Spoken("caller", text, event.turn)))
            case TranscriptFinal(text=text) if text and event.utterance not in replaced:
                asked.setdefault(event.turn, []).append(text)
                lines.append((seq, Spoken("caller", text, event.turn)))
            case PlaybackStarted():
                spoke[event.turn] = seq
                found.begun.append(sentences.get((event.turn, event.generation, event.index), ""))
            case ToolCalled(name=name, arguments=arguments):
                use = _use(name, arguments, returned.get(event.call))
                found.tools.append(use)
                lines.append((seq, Spoken("tool", str(use), event.turn)))
            case TurnEnded():
                _ended(
                    found,
                    lines,
                    event,
                    committed.get(event.turn),
                    asked.get(event.turn, []),
                    spoke.get(event.turn, seq),
                )
            case StageFailed() | StageExpired():
                found.troubles.append(f"{event.stage}: {event.message}" if event.message else f"{event.stage} failed")
            case FieldCollected(name=name):
                found.fields[name] = event
            case SessionStarted(variant=variant):
                found.variant = variant
            case SessionEnded(reason=reason):
                found.end = reason
            case _:
                pass
    found.transcript = [line for _, line in sorted(lines, key=lambda pair: pair[0])]
    return found


def _use(name: str, arguments: dict[str, Any], back: ToolReturned | None) -> ToolUse:
    if back is None:
        return ToolUse(name, arguments)
    return ToolUse(name, arguments, back.error or back.result, bool(back.error), returned=True)


def _ended(
    found: Observed, lines: list[tuple[int, Spoken]], event: TurnEnded, why: str | None, asked: Sequence[str], seq: int
) -> None:
    cut = event.how == "interrupted"
    found.interrupted += cut and event.reason == "barge_in"
    if event.heard and event.reason != TAKEN_BACK:
        lines.append((seq, Spoken("agent", event.heard, event.turn, cut)))
    if (
        asked
        and why not in OWN
        and (event.how in ("failed", "expired") or (event.how == "dropped" and event.reason == "overload"))
    ):
        found.unanswered.extend(asked)
