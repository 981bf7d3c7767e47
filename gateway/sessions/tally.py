"""What one session adds to the figures, and the two lines that the process' log has of it: its beginning and its end."""

import logging
from collections.abc import Iterable

from gateway import turn_taking
from gateway.metrics import GatewayMetrics
from gateway.room import Room
from schemas.audio import HEARING_RATE
from schemas.client import MetricsMessage, ToClient, TurnMessage
from schemas.clock import Micros, Now
from schemas.events import (
    Event,
    ParticipantJoined,
    SessionStarted,
    StageExpired,
    StageFailed,
    TranscriptFinal,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.process.numbers import numbers_shortened, shortened
from schemas.session.state import OWN

log = logging.getLogger("antiphon.gateway")

_PHONE = "sip.phoneNumber"
_PARTS = ("end_of_turn", "stt", "llm", "tts", "first_sound")
_LONGEST = 40
"""Characters of a caller's name in a line of the log."""


class Tally:
    """`session`: its id; `agent`: its agent's name; `began`: when we have it since, in the session's own time;
    `goes_on`: it began elsewhere; `draft`: its agent is tried, not saved."""

    def __init__(
        self, metrics: GatewayMetrics, session: str, room: Room, agent: str, began: Now, *, goes_on: bool, draft: bool
    ):
        self._metrics, self._room, self._name, self._began = metrics, room, agent, began
        self._session = session
        self._said = goes_on
        self._caller = ""
        self._turns: set[int] = set()
        self._started_at: Micros | None = None
        self._before = 0.0
        self._worst: float | None = None
        self._in_vain = False
        self._asked: dict[str, int | None] = {}
        """Utterance → turn, of all that were more than noise, as far as is known."""
        self._sounds: dict[int, float] = {}
        """Turn → seconds after which its reply began to sound, until it is known whether it was the answer."""
        self._stopped_at: Now | None = None
        """When the caller fell silent, until something sounds."""
        self._spoken = 0.0
        self._agent = agent = metrics.agent("draft" if draft else agent or "default")
        self._here = metrics.sessions.labels(agent, room.transport)
        self._parts = {part: metrics.parts.labels(agent, part) for part in _PARTS}
        self._voice_to_voice = metrics.voice_to_voice.labels(agent)

    def entered(self) -> None:
        """It is one of this gateway's, until it has `ended`."""
        self._here.inc()

    def event(self, event: Event) -> None:
        """One of the log; the last ones may come again."""
        match event:
            case UtteranceCaptured():
                self._asked[event.utterance] = event.turn
                self._metrics.captured.labels(self._agent).inc(max(0.0, event.duration))
            case TranscriptFinal() if not event.text.strip():
                self._asked.pop(event.utterance, None)
            case TurnEnded() if event.turn not in self._turns:
                self._turns.add(event.turn)
                self._metrics.turns.labels(self._agent, event.how, self._metrics.reason(event.reason)).inc()
                seconds = self._sounds.pop(event.turn, None)
                if seconds is not None and event.into is None:
                    self._voice_to_voice.observe(seconds)
            case StageFailed():
                recoverable = "yes" if event.will_retry else "no"
                code = self._metrics.code(event.code)
                self._metrics.stage_errors.labels(self._agent, event.stage, code, recoverable).inc()
            case StageExpired():
                self._metrics.stage_errors.labels(self._agent, event.stage, "expired", "no").inc()
            case ParticipantJoined() if event.kind != "agent":
                self._joined(event)
            case _:
                pass

    def known(self, event: Event) -> None:
        """One from before we had the session: it was counted where it happened."""
        if isinstance(event, ParticipantJoined) and event.kind != "agent" and not self._caller:
            self._caller = _short(event)
        elif isinstance(event, TurnEnded):
            self._turns.add(event.turn)
        elif isinstance(event, SessionStarted):
            self._started_at = event.at
        if self._started_at is not None:
            self._before = (event.at - self._started_at) / 1e6

    def told(self, messages: Iterable[ToClient]) -> None:
        """What the client is told: of an answered turn how long its parts took, just before that it ended."""
        took: float | None = None
        for message in messages:
            if isinstance(message, MetricsMessage):
                for part, figure in self._parts.items():
                    if (seconds := getattr(message, part)) is not None:
                        figure.observe(seconds)
                took = message.first_sound
            elif isinstance(message, TurnMessage) and message.why not in OWN:
                self._answered_or_not(message, took)

    def _answered_or_not(self, turn: TurnMessage, took: float | None) -> None:
        if took is not None:
            self._worst = max(self._worst or 0.0, took)
        elif turn.how in ("failed", "expired") or turn.reason == "overload":
            self._in_vain = True
        elif turn.reason == "session":
            self._in_vain = self._in_vain or turn.why == "text" or turn.turn in self._asked.values()

    def speech(self, edge: turn_taking.SpeechEdge, now: Now) -> None:
        """The caller begins or stops."""
        ago = (edge.head - edge.position) / HEARING_RATE
        self._stopped_at = Now(now - ago) if edge.kind == "stop" else None

    def sounds(self, play: turn_taking.Play, now: Now) -> None:
        """The agent begins a sentence. A reply's first counts as the answer once its turn is over: taken back, it was none."""
        if self._stopped_at is None or play.phrase == "filler":
            return
        if play.phrase is None:
            self._sounds[play.turn] = max(0.0, now - self._stopped_at)
        self._stopped_at = None

    def spoken(self, seconds: float) -> None:
        """How much the agent has spoken here so far."""
        if seconds > self._spoken:
            self._metrics.spoken.labels(self._agent).inc(seconds - self._spoken)
            self._spoken = seconds

    def ended(self, reason: str, now: Now, *, lost: bool) -> None:
        """It is over here; `lost`: another gateway may go on with it."""
        length = self._before + max(0.0, now - self._began)
        for seconds in self._sounds.values():
            self._voice_to_voice.observe(seconds)
        self._sounds.clear()
        self._here.dec()
        self._metrics.ended.labels(self._metrics.reason(reason)).inc()
        if not lost:
            self._metrics.duration.labels(self._agent).observe(length)
        told = self._who() | {"reason": reason, "seconds": round(length, 1), "turns": len(self._turns)}
        if self._worst is not None:
            told["worst_s"] = round(self._worst, 3)
        elif self._in_vain:
            told["answered"] = "never"
        log.info("session let go" if lost else "session ended", extra=told)

    def _joined(self, event: ParticipantJoined) -> None:
        if self._caller:
            return
        self._caller = _short(event)
        if not self._said:
            self._said = True
            log.info("session began", extra=self._who())

    def _who(self) -> dict[str, object]:
        return {
            "session": self._session,
            "agent": self._name or "default",
            "caller": self._caller,
            "transport": self._room.transport,
        }


def _short(event: ParticipantJoined) -> str:
    """Enough to know a caller again: of a phone number its ends."""
    named = event.attributes.get(_PHONE) or event.participant
    return numbers_shortened(shortened(named), bare=True)[:_LONGEST]
