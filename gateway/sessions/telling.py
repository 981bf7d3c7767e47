"""What one session tells its client, besides sound."""

import logging
from collections.abc import Collection, Iterable, Sequence

from gateway.room import Room
from gateway.sessions.messages import Narrator
from gateway.turn_taking import Play
from schemas.client import EndedMessage, ErrorMessage, ToClient
from schemas.events import Event, Stage, StageFailed

log = logging.getLogger("antiphon.gateway")

_FAILED: dict[Stage, str] = {
    "stt": "What was said could not be heard",
    "llm": "The answer could not be found",
    "tts": "The answer could not be spoken",
    "tools": "Something could not be looked up or done",
}
"""What a caller is told of a stage's failure. Its own message, which may name settings and addresses, is the operator's."""
_OURS = "The conversation can't go on, by a fault on this side; please call again."


_RETRIED = 20
"""Jobs of one session whose errors are counted."""


class Teller:
    def __init__(self, session: str, room: Room, *, tells_tools: bool = False):
        self._session, self._room = session, room
        self._narrator = Narrator(tells_tools=tells_tools)
        self._retried: dict[tuple[str, str], int] = {}
        """Errors of jobs that are tried again, by job and code: how often each has come."""

    def event(self, event: Event) -> Sequence[ToClient]:
        """The next one of the log; answers what the client is told because of it."""
        if isinstance(event, StageFailed):
            self._warn(event)
            message = _FAILED[event.stage] + ("; it is tried again." if event.will_retry else ".")
            if not event.job.startswith("hook/"):  # nothing that anybody waits for
                self._send([ErrorMessage(code=f"{event.stage}_{event.code}", message=message, fatal=False)])
        told = self._narrator.messages(event)
        self._send(told)
        return told

    def past(self, event: Event) -> None:
        """One from before we had the session, to which later messages refer."""
        self._narrator.messages(event)

    def again(self, turns: Collection[int]) -> None:
        """What was said in these is told once more: whoever had the session may have died before the client was told."""
        self._send(self._narrator.again(turns))

    def published(self, events: Sequence[Event]) -> None:
        """What these name may sound before the inbox brings them."""
        for event in events:
            self._narrator.remember(event)

    def closing(self, events: Sequence[Event]) -> Sequence[ToClient]:
        """Those that end the session: the inbox brings nothing behind them. Answers what the client is told because of them."""
        told = [message for event in events for message in self._narrator.messages(event)]
        self._send(told)
        return told

    def sounds(self, play: Play) -> None:
        """A sentence begins now."""
        if play.phrase is None or play.index == 0:
            self._send(self._narrator.sentence(play.turn, play.generation, play.index))

    def complaint(self, complaint: ErrorMessage) -> None:
        """Something is wrong with what the client sends."""
        log.warning("%s", complaint.message, extra={"session": self._session})
        self._room.send(complaint)

    def failed(self) -> None:
        """An error of ours ends the session."""
        self._room.send(ErrorMessage(code="internal", message=_OURS, fatal=True))

    def ended(self, reason: str) -> None:
        self._room.send(EndedMessage(reason=reason))

    def _warn(self, failed: StageFailed) -> None:
        """Of a job that is tried again the first error, and the last with how often it came: those between say nothing new."""
        key = (failed.job, failed.code)
        times = self._retried.pop(key, 0) + 1
        if failed.will_retry:
            self._retried[key] = times
            while len(self._retried) > _RETRIED:
                del self._retried[next(iter(self._retried))]
            if times > 1:
                return
        more = f" ×{times}" if times > 1 else ""
        again = "; it is tried again" if failed.will_retry else ""
        log.warning(
            "turn %s: %s: %s%s%s",
            failed.turn,
            failed.stage,
            failed.message,
            more,
            again,
            extra={"session": self._session},
        )

    def _send(self, messages: Iterable[ToClient]) -> None:
        for message in messages:
            self._room.send(message)
