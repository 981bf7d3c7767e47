"""What a client is told of its session's log (docs/websocket.md): events in, messages out. Pure but for what it remembers."""

from collections.abc import Iterable
from typing import Literal

from schemas.client import (
    MetricsMessage,
    SentenceMessage,
    SpeechMessage,
    ToClient,
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
    TranscriptFinal,
    TranscriptPartial,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)

_KEPT = 500
"""Utterances remembered."""


class Narrator:
    """Remembers what later messages refer to: sentences until they sound, utterances, what they replaced and which of them the
    client was shown."""

    def __init__(self) -> None:
        self._sentences: dict[tuple[int, int], dict[int, str]] = {}
        self._utterances: dict[str, tuple[int | None, str | None]] = {}
        self._told: dict[str, TranscriptFinal] = {}
        """Final transcripts that stand on the client's screen, by utterance."""
        self._interim: dict[str, TranscriptPartial] = {}
        """Utterances of which the client has interim words only."""
        self._past: dict[str, None] = {}
        """Utterances whose place another one has taken on the client's screen."""
        self._figures: dict[int, dict[str, float]] = {}
        self._spoken: dict[int, float] = {}
        """When the last speech of each turn ended that is committed: seconds of the log."""
        self._why: dict[int, CommitReason] = {}

    def remember(self, event: Event) -> None:
        """Keep what later messages refer to."""
        if isinstance(event, UtteranceCaptured):
            self._utterances[event.utterance] = (event.turn, event.replaces)
            for kept in (self._utterances, self._told, self._interim, self._past):
                while len(kept) > _KEPT:
                    del kept[next(iter(kept))]
        elif isinstance(event, ReplySentence) and event.turn is not None:
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
            case TurnCommitted() if event.at:  # one of ours that the log has not yet timed comes again
                self._figures.setdefault(turn, {})["end_of_turn"] = event.delay
                self._figures[turn].pop("first_sound", None)
                self._why[turn] = event.why
                self._spoken[turn] = event.happened - event.delay
            case PlaybackStarted() if event.at and turn in self._spoken:
                took = max(0.0, event.happened - self._spoken[turn])
                self._figures.setdefault(turn, {}).setdefault("first_sound", took)
            case _:
                pass

    def messages(self, event: Event) -> list[ToClient]:
        """What the client is told because of `event`."""
        self.remember(event)
        match event:
            case SpeechStarted() | SpeechResumed():
                return [SpeechMessage(participant=event.participant, speaking=True)]
            case SpeechPaused():
                return [SpeechMessage(participant=event.participant, speaking=False)]
            case TranscriptPartial():
                return self._hint(event)
            case TranscriptFinal():
                return self._words(event)
            case MessageReceived() if event.turn is None and event.text.strip():
                return [_written(event)]
            case TurnEnded():
                why: CommitReason | Literal[""] = self._why.get(event.turn, "")
                told = [*self._withdrawn(self._of_turn(event.turn)), *self._metrics(event.turn)]
                self._forget(event.turn, before=why != "filler")
                return [
                    *told, TurnMessage(turn=event.turn, how=event.how, reason=event.reason, why=why, heard=event.heard)
                ]  # fmt: skip
            case SessionResumed() | SessionRewound() | SessionEnded():
                return self._withdrawn([name for name in self._interim if name not in self._utterances])
            case _:
                pass
        return []

    def _metrics(self, turn: int) -> list[ToClient]:
        figures = self._figures.get(turn, {})
        if "tts" not in figures:
            return []  # nothing was answered
        return [
            MetricsMessage.model_validate({"turn": turn} | {name: round(value, 4) for name, value in figures.items()})
        ]

    def _of_turn(self, turn: int) -> list[str]:
        return [name for name in self._utterances if self._utterances[name][0] == turn]

    def _forget(self, turn: int, before: bool) -> None:
        """What was kept of a turn that is over; `before`: and of those before it. A filler's comes before the answer's end."""

        def over(other: int) -> bool:
            return other == turn or (before and other < turn)

        self._sentences = {key: said for key, said in self._sentences.items() if not over(key[0])}
        self._figures = {other: figures for other, figures in self._figures.items() if not over(other)}
        self._spoken = {other: at for other, at in self._spoken.items() if not over(other)}
        self._why = {other: why for other, why in self._why.items() if not over(other)}

    def sentence(self, turn: int, generation: int, index: int) -> SentenceMessage:
        """The sentence that is about to sound."""
        text = self._sentences.get((turn, generation), {}).get(index, "")
        return SentenceMessage(turn=turn, index=index, text=text, spoken=True)

    # ── transcripts: what is shown takes the place of what was shown ─────────────────────────────────────────────────

    def _hint(self, event: TranscriptPartial) -> list[ToClient]:
        """Of speech that goes on. Once that is captured its words are on their way, and a hint is out of date."""
        late = event.utterance in self._utterances or event.utterance in self._past
        if late or not (event.text.strip() or event.utterance in self._interim):
            return []
        self._interim[event.utterance] = event
        return [self._transcript(event, None)]

    def _words(self, event: TranscriptFinal) -> list[ToClient]:
        """An utterance stands for all that it carries, of which the client may have been told any part, or nothing."""
        if event.utterance in self._past:
            return []  # it came too late: what carries it is there already
        carried = self._carried_by(event.utterance)
        withdrawn = self._withdrawn(carried)
        shown = next((name for name in carried if name in self._told), None)
        for name in carried:
            self._told.pop(name, None)
            self._past[name] = None
        self._interim.pop(event.utterance, None)
        self._told[event.utterance] = event
        return [*withdrawn, self._transcript(event, shown)]

    def _carried_by(self, utterance: str) -> list[str]:
        """What an utterance replaced, what that replaced, and so on."""
        carried: list[str] = []
        _, earlier = self._utterances.get(utterance, (None, None))
        while earlier is not None and earlier not in carried:
            carried.append(earlier)
            _, earlier = self._utterances.get(earlier, (None, None))
        return carried

    def _withdrawn(self, utterances: Iterable[str]) -> list[ToClient]:
        """Interim words of these, whose final ones will never come: speech that was lost, or went with its gateway or session."""
        lost = [self._interim.pop(name) for name in utterances if name in self._interim]
        return [self._transcript(event.model_copy(update={"text": ""}), None) for event in lost]

    def _transcript(self, event: TranscriptPartial | TranscriptFinal, replaces: str | None) -> TranscriptMessage:
        turn, _ = self._utterances.get(event.utterance, (None, None))
        return TranscriptMessage(
            participant=event.participant,
            turn=event.turn if event.turn is not None else turn,
            utterance=event.utterance,
            text=event.text,
            final=isinstance(event, TranscriptFinal),
            replaces=replaces,
        )


def _written(event: MessageReceived) -> TranscriptMessage:
    """A text that somebody sent by the API. Who types in the room has it on the screen already, and names a turn."""
    return TranscriptMessage(
        participant=event.participant,
        turn=None,
        utterance=f"message-{event.seq}",
        text=event.text,
        final=True,
        replaces=None,
    )
