"""What a client is told of its session's log (docs/websocket.md): events in, messages out. Pure but for what it remembers."""

from typing import Any

from schemas.events import (
    ClipReady,
    Event,
    ReplyFinished,
    ReplySentence,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TranscriptFinal,
    TranscriptPartial,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)

Message = dict[str, Any]


class Narrator:
    """Remembers what later messages refer to: sentences until they sound, utterances and what they replaced."""

    def __init__(self) -> None:
        self._sentences: dict[tuple[int, int], dict[int, str]] = {}
        self._utterances: dict[str, tuple[int | None, str | None]] = {}
        self._figures: dict[int, dict[str, float]] = {}

    def remember(self, event: Event) -> None:
        """Keep what later messages refer to."""
        if isinstance(event, UtteranceCaptured):
            self._utterances[event.utterance] = (event.turn, event.replaces)
            while len(self._utterances) > 50:
                del self._utterances[next(iter(self._utterances))]
        elif isinstance(event, ReplySentence) and event.turn is not None:
            self._sentences.setdefault((event.turn, event.generation or 0), {})[event.index] = event.text
        elif event.turn is not None:
            self._measure(event, event.turn)

    def _measure(self, event: Event, turn: int) -> None:
        """How long the stages of a turn take; what was made void and done again counts as it was last."""
        match event:
            case TranscriptFinal():
                self._figures.setdefault(turn, {})["stt"] = event.took
            case ReplyFinished() if event.time_to_first_token is not None:
                self._figures.setdefault(turn, {})["llm"] = event.time_to_first_token
            case ClipReady(index=0, part=0):
                self._figures.setdefault(turn, {})["tts"] = event.took
            case TurnCommitted():
                self._figures.setdefault(turn, {})["end_of_turn"] = event.delay
            case _:
                pass

    def messages(self, event: Event) -> list[Message]:
        """What the client is told because of `event`."""
        self.remember(event)
        match event:
            case SpeechStarted() | SpeechResumed():
                return [{"type": "speech", "participant": event.participant, "speaking": True}]
            case SpeechPaused():
                return [{"type": "speech", "participant": event.participant, "speaking": False}]
            case TranscriptPartial() | TranscriptFinal():
                return [self._transcript(event)]
            case TurnEnded():
                for key in [key for key in self._sentences if key[0] <= event.turn]:
                    del self._sentences[key]
                ended = {"type": "turn", "turn": event.turn, "how": event.how, "reason": event.reason}
                return [*self._metrics(event.turn), ended | {"heard": event.heard}]
            case _:
                pass
        return []

    def _metrics(self, turn: int) -> list[Message]:
        figures = self._figures.pop(turn, {})
        for old in [other for other in self._figures if other < turn]:
            del self._figures[old]
        if "tts" not in figures:
            return []  # nothing was answered
        return [{"type": "metrics", "turn": turn} | {name: round(value, 4) for name, value in figures.items()}]

    def sentence(self, turn: int, generation: int, index: int, *, spoken: bool, text: str | None = None) -> Message:
        """The sentence that is about to sound, or whose sound could not be made."""
        text = self._sentences.get((turn, generation), {}).get(index, "") if text is None else text
        return {"type": "sentence", "turn": turn, "index": index, "text": text, "spoken": spoken}

    def _transcript(self, event: TranscriptPartial | TranscriptFinal) -> Message:
        turn, replaces = self._utterances.get(event.utterance, (event.turn, None))
        return {
            "type": "transcript",
            "participant": event.participant,
            "turn": event.turn if event.turn is not None else turn,
            "utterance": event.utterance,
            "text": event.text,
            "final": isinstance(event, TranscriptFinal),
            "replaces": replaces,
        }
