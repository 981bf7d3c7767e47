"""What a client is told of its session's log (docs/websocket.md): events in, messages out. Pure but for what it remembers."""

from collections.abc import Collection, Sequence
from typing import Any, Literal

from gateway.sessions.lines import Lines
from schemas.client import (
    MetricsMessage,
    SentenceMessage,
    SpeechMessage,
    ToClient,
    ToolMessage,
    TranscriptMessage,
    TurnMessage,
)
from schemas.events import (
    ClipReady,
    CommitReason,
    Event,
    MessageReceived,
    PlaybackStarted,
    ReplyFinished,
    ReplySentence,
    SessionEnded,
    SessionResumed,
    SessionRewound,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TranscriptPartial,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)

_KEPT = 500
"""Turns remembered whose end was told."""


class Narrator:
    """Remembers what later messages refer to: sentences until they sound, what people say, how long a turn took."""

    def __init__(self, *, tells_tools: bool = False) -> None:
        """`tells_tools`: whether clients are told of calls."""
        self._tells_tools = tells_tools
        self._calls: dict[str, dict[str, Any]] = {}
        """The arguments of those that have not returned."""
        self._sentences: dict[tuple[int, int], dict[int, str]] = {}
        self._lines = Lines()
        self._figures: dict[int, dict[str, float]] = {}
        self._spoken: dict[int, float] = {}
        """When the last speech of each turn ended that is committed: seconds of the log."""
        self._why: dict[int, CommitReason] = {}
        self._over: dict[int, None] = {}
        """Turns whose end was told."""

    def remember(self, event: Event) -> None:
        """Keep what later messages refer to. An event may come twice."""
        match event:
            case UtteranceCaptured():
                self._lines.captured(event)
            case TranscriptPartial():
                self._lines.guessed(event)
            case TranscriptFinal():
                self._lines.heard(event)
            case TurnEnded(turn=turn, into=int(into)):
                self._lines.taken_back(turn, into)
            case PlaybackStarted(turn=int(turn)) | TurnEnded(turn=turn):
                self._lines.settle(turn)
            case SessionResumed():
                self._lines.lose()
            case SessionRewound():
                self._lines.rewind()
            case SessionEnded():
                self._lines.close()
            case _:
                pass
        if isinstance(event, ReplySentence) and event.turn is not None:
            self._sentences.setdefault((event.turn, event.generation or 0), {})[event.index] = event.text
        elif event.turn is not None:
            self._measure(event, event.turn)

    def _measure(self, event: Event, turn: int) -> None:
        """How long the stages of a turn take; what was made void and done again counts as it was last."""
        match event:
            case TurnCommitted() | PlaybackStarted() if not event.at:
                pass  # just published, without the log's time: it comes again, with it, and may have come already
            case TranscriptFinal():
                self._figures.setdefault(turn, {})["stt"] = event.took
            case ReplyFinished() if event.time_to_first_token is not None:
                self._figures.setdefault(turn, {})["llm"] = event.time_to_first_token
            case ClipReady(index=0, part=0):
                self._figures.setdefault(turn, {})["tts"] = event.took
            case TurnCommitted():
                self._figures.setdefault(turn, {})["end_of_turn"] = event.delay
                self._figures[turn].pop("first_sound", None)
                self._why[turn] = event.why
                self._spoken[turn] = event.happened - event.delay
            case PlaybackStarted() if turn in self._spoken:
                took = max(0.0, event.happened - self._spoken[turn])
                self._figures.setdefault(turn, {}).setdefault("first_sound", took)
            case _:
                pass

    def messages(self, event: Event) -> list[ToClient]:
        """What the client is told because of `event`."""
        self.remember(event)
        said: list[ToClient] = [*self._lines.news()]
        match event:
            case SpeechStarted() | SpeechResumed():
                return [*said, SpeechMessage(participant=event.participant, speaking=True)]
            case SpeechPaused():
                return [*said, SpeechMessage(participant=event.participant, speaking=False)]
            case MessageReceived() if event.turn is None and event.text.strip():
                return [*said, _written(event)]
            case TurnEnded(into=int()):
                return [*self._ended(event), *said]  # then its lines may change
            case TurnEnded():
                return [*said, *self._ended(event)]
            case ToolCalled(turn=int(turn)) if self._tells_tools:
                self._calls[event.call] = event.arguments
                told = ToolMessage(turn=turn, call=event.call, name=event.name, arguments=event.arguments)
                return [*said, told]
            case ToolReturned(turn=int(turn)) if event.call in self._calls:
                given = self._calls.pop(event.call)
                end: dict[str, Any] = {"returned": True, "result": event.result, "error": event.error}
                return [*said, ToolMessage(turn=turn, call=event.call, name=event.name, arguments=given, **end)]
            case _:
                return said

    def again(self, turns: Collection[int]) -> Sequence[ToClient]:
        """What was said in these, once more: whoever had the session may have died before the client was told."""
        self._lines.again(turns)
        return self._lines.news()

    def _ended(self, event: TurnEnded) -> list[ToClient]:
        if event.turn in self._over:
            return []  # told already
        self._over[event.turn] = None
        while len(self._over) > _KEPT:
            del self._over[next(iter(self._over))]
        why: CommitReason | Literal[""] = self._why.get(event.turn, "")
        metrics = self._metrics(event.turn) if event.into is None else []  # it answered nothing
        self._forget(event.turn, before=why != "filler")
        ended = TurnMessage(turn=event.turn, how=event.how, reason=event.reason, why=why, heard=event.heard)
        return [*metrics, ended]

    def _metrics(self, turn: int) -> list[ToClient]:
        figures = self._figures.get(turn, {})
        if not figures.keys() & {"tts", "first_sound"}:
            return []  # nothing was answered
        return [
            MetricsMessage.model_validate({"turn": turn} | {name: round(value, 4) for name, value in figures.items()})
        ]

    def _forget(self, turn: int, before: bool) -> None:
        """What was kept of a turn that is over; `before`: and of those before it. A filler's comes before the answer's end."""

        def over(other: int) -> bool:
            return other == turn or (before and other < turn)

        self._sentences = {key: said for key, said in self._sentences.items() if not over(key[0])}
        self._figures = {other: figures for other, figures in self._figures.items() if not over(other)}
        self._spoken = {other: at for other, at in self._spoken.items() if not over(other)}
        self._why = {other: why for other, why in self._why.items() if not over(other)}

    def sentence(self, turn: int, generation: int, index: int) -> list[ToClient]:
        """The sentence that is about to sound, behind what it answers."""
        text = self._sentences.get((turn, generation), {}).get(index, "")
        return [*self._lines.news(), SentenceMessage(turn=turn, index=index, text=text, spoken=True)]


def _written(event: MessageReceived) -> TranscriptMessage:
    """A text that somebody sent by the API. Who types in the room has it on the screen already, and names a turn."""
    return TranscriptMessage(
        participant=event.participant,
        turn=None,
        utterance=f"message-{event.seq}",
        text=event.text,
        final=True,
    )
