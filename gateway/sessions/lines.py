"""What people say, as the lines on a client's screen: one line for what somebody says in one go, under one name for good, each
message the whole of it, and final once. Pure but for what it remembers.

An utterance may carry another's sound again, so its words take the place of those. Until the reply is heard, or the turn is
over, that may happen once more; then a line is final, and what comes later for it is not told, unless its turn is taken back.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.client import TranscriptMessage
from schemas.events import TranscriptFinal, TranscriptPartial, UtteranceCaptured

_KEPT = 500
"""Utterances remembered, and turns."""

_Shown = tuple[int | None, str, bool]


@dataclass(slots=True)
class _Line:
    """`id`: the first utterance it is made of; `captured`: the log has it; `text`: the words of the latest utterance that has
    any, `place` of those it is made of; `hint`: an utterance whose words are being guessed while it is said, and those, of the
    whole line; `late`: words that came when it was final, and their place; `shown`: what the client was told last."""

    id: str
    participant: str
    turn: int | None = None
    captured: bool = False
    text: str = ""
    place: int = -1
    hint: tuple[str, str] | None = None
    late: tuple[str, int] | None = None
    final: bool = False
    shown: _Shown | None = None

    @property
    def words(self) -> str:
        return self.text if self.hint is None else self.hint[1]


class Lines:
    """Told of events in the order of the log; `news` is what the client must be told of that."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        """Those that are open, or of which there is news."""
        self._captured: dict[str, tuple[_Line, int]] = {}
        """The line of each utterance in the log, and its place among those that line is made of."""
        self._latest: dict[int | None, str] = {}
        """The latest utterance of each turn."""

    def captured(self, event: UtteranceCaptured) -> None:
        """An utterance is in the log: it goes on with the line of the one that it carries, or begins one."""
        name = event.utterance
        if name in self._captured:
            return
        line, place = self._captured.get(event.replaces or "", (None, -1))
        if event.joins:
            line, place = self._joined([*event.joins, event.replaces or ""])
        if line is None or line.final:
            line, place = self._line(name, event.participant), -1
        for other in self._lines.values():
            if other is not line and other.hint is not None and other.hint[0] == name:
                line.hint, other.hint = other.hint, None  # it was taken for more of another line
                if other.id == name:  # or for one of its own, before it took the turn back
                    line.hint = name, f"{line.text} {line.hint[1]}".strip()
        line.captured, line.turn = True, event.turn
        self._captured[name] = line, place + 1
        self._latest[event.turn] = name
        _bound(self._captured)
        _bound(self._latest)

    def _joined(self, names: Sequence[str]) -> tuple[_Line | None, int]:
        """The lines of these utterances are one from now on, where the first of them stands."""
        known = [self._captured[name] for name in names if name in self._captured]
        if not known:
            return None, -1
        line, place = known[0]
        line.place = place
        for other, _ in known[1:]:
            if other is not line:
                line.text = f"{line.text} {other.text}".strip()
                other.text, other.hint, other.captured = "", None, False
                self._lines[other.id] = other
        self._lines[line.id] = line
        return line, place

    def guessed(self, event: TranscriptPartial) -> None:
        """Words of speech that goes on. Once that is captured the real ones are on their way, and a guess is out of date."""
        name = event.utterance
        if name in self._captured:
            return
        line = self._hinted(name)
        if line is None:
            if not event.text.strip():
                return
            line = self._goes_on(event) or self._line(name, event.participant)
            line.turn = event.turn if line.turn is None else line.turn
        line.hint = name, event.text.strip()

    def heard(self, event: TranscriptFinal) -> None:
        """The words of an utterance, in any order: those of one that carries it count instead."""
        line, place = self._captured.get(event.utterance, (None, -1))
        if line is None:
            line, place = self._line(event.utterance, event.participant), 0
            line.captured, line.turn = True, event.turn
            self._captured[event.utterance] = line, place
        if place <= line.place:
            return
        if line.final and line.text:
            line.late = event.text.strip(), place
            return
        self._lines[line.id] = line
        line.text, line.place = event.text.strip(), place
        if line.hint is not None and line.hint[0] in self._captured:
            _, guessed = self._captured[line.hint[0]]
            line.hint = line.hint if guessed > place else None

    def settle(self, turn: int) -> None:
        """Nothing of this turn will be said otherwise any more. What is still being said belongs to another."""
        for line in list(self._lines.values()):
            if line.final or not line.captured or line.turn != turn:
                continue
            hint, line.hint, line.final = line.hint, None, True
            if hint is not None and hint[0] not in self._captured:
                self._line(hint[0], line.participant).hint = hint

    def taken_back(self, turn: int, into: int) -> None:
        """What was said in `turn` may be said otherwise after all: the other goes on with it."""
        for line, _ in self._captured.values():
            if line.turn == turn:
                line.turn, line.final = into, False
                line.text, line.place = line.late or (line.text, line.place)
                line.late = None
                self._lines[line.id] = line
        if turn in self._latest:
            self._latest.setdefault(into, self._latest[turn])

    def lose(self) -> None:
        """What was being said is lost with its gateway, or its session."""
        for line in self._lines.values():
            if line.hint is not None and line.hint[0] not in self._captured:
                line.hint = None

    def rewind(self) -> None:
        """The log lost its tail: what is heard anew counts, whatever was heard before."""
        self.lose()
        for line in self._lines.values():
            if not line.final:
                line.place = -1

    def close(self) -> None:
        """The session is over."""
        for line in self._lines.values():
            line.hint, line.final = None, True

    def again(self, turns: Collection[int]) -> None:
        """The client may not have been told what it was told of these."""
        for line, _ in self._captured.values():
            if line.turn in turns:
                line.shown = None
                self._lines[line.id] = line

    def news(self) -> list[TranscriptMessage]:
        """What the client is not shown as it stands."""
        told = []
        for line in list(self._lines.values()):
            now = line.turn, line.words, line.final and bool(line.words)
            blank = not line.words and (line.shown is None or not line.shown[1])
            if now != line.shown and not blank:
                line.shown = now
                told.append(
                    TranscriptMessage(
                        participant=line.participant, turn=now[0], utterance=line.id, text=now[1], final=now[2]
                    )
                )
            if line.final or (not line.captured and line.hint is None):  # done with, or nobody said it after all
                del self._lines[line.id]
        return told

    def _line(self, name: str, participant: str) -> _Line:
        return self._lines.setdefault(name, _Line(name, participant))

    def _hinted(self, name: str) -> _Line | None:
        return next((line for line in self._lines.values() if line.hint is not None and line.hint[0] == name), None)

    def _goes_on(self, event: TranscriptPartial) -> _Line | None:
        """The line that this speech goes on with, as most does: that of the turn's latest utterance, if the same one said it."""
        line, _ = self._captured.get(self._latest.get(event.turn, ""), (None, 0))
        same = line is not None and line.participant == event.participant and not line.final
        return line if same else None


def _bound(kept: dict[Any, Any]) -> None:
    while len(kept) > _KEPT:
        del kept[next(iter(kept))]
