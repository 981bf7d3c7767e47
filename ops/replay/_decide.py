"""Every decision of a stored session, taken again: turn-taking is fed what it was fed, and must publish what it published.

A log tells what was fed to turn-taking (`gateway/turn_taking/record.py`), to the sample and the clock's last digit. So the
machine runs as it ran, and each of its publications is compared with the one that stands in the log, fact by fact. Where it
publishes something else, that is a difference, and it goes on as the log has it: the next decision is judged by itself.

Logs from before that was kept have the `inputs` of single decisions: those are taken again by them alone. What has neither is
counted, and not judged.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from gateway import turn_taking as machine
from gateway.turn_taking import Beginning, Decision, Input, Publish, Published, State
from schemas.bus import Outcome
from schemas.clock import Now
from schemas.codec import event_to_json
from schemas.config.agent import AgentSpec
from schemas.errors import EventError
from schemas.events import (
    BY_RULES,
    FED,
    Event,
    GatewayEvent,
    ReplyFinished,
    ReplySentence,
    SessionStarted,
    ToolCalled,
    TurnCommitted,
    TurnEnded,
)
from schemas.session.state import OWN

_NOT_DECIDED = frozenset(("seq", "at", "ago", "by", "trace", "saw", "audio", "duration"))
"""Of a fact: what the log and the rim give it. (A captured duration is that of the sound that was there to be stored.)"""
_BESIDE = frozenset((FED, BY_RULES))
"""Among `inputs`: no decision's own."""
_MOST = 100
"""Differences of one session that are kept; of a session that is decided otherwise the first tell enough."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`seq`, `type`, `turn`: of the event that records the decision, or would; `recorded`, `decided`: what of it differs, None:
    nothing of the kind."""

    seq: int
    type: str
    turn: int | None
    recorded: dict[str, Any] | None
    decided: dict[str, Any] | None

    @property
    def sentence(self) -> str:
        about = f"event {self.seq} ({self.type}{f', turn {self.turn}' if self.turn is not None else ''})"
        return f"{about}: recorded {_told(self.recorded)}, decided now {_told(self.decided)}"

    def view(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "seq": self.seq,
            "type": self.type,
            "turn": self.turn,
            "recorded": self.recorded,
            "decided": self.decided,
        }


def _told(fields: Mapping[str, Any] | None) -> str:
    if fields is None:
        return "nothing of the kind"
    return ", ".join(f"{name} {value!r}" for name, value in fields.items()) or "the same"


@dataclass(slots=True)
class Decided:
    """`rules`: by which the session's gateways decided, None: of before they had a version; `facts`: decided again; `by_inputs`:
    decisions taken again by what they recorded of themselves; `untold`: commits and ends of turns of which the log does not tell
    enough; `broken_off`: why not all could be decided, "" if all were."""

    rules: list[int | None] = field(default_factory=list)
    facts: int = 0
    by_inputs: int = 0
    untold: int = 0
    differences: list[Difference] = field(default_factory=list)
    broken_off: str = ""

    @property
    def same(self) -> bool:
        return not self.differences and not self.broken_off


def decide(events: Sequence[Event]) -> Decided:
    """Take every decision of a session again. `events`: its whole log, from seq 1."""
    again = _Again(events)
    again.run()
    return again.decided


class _Again:
    def __init__(self, events: Sequence[Event]) -> None:
        self.decided = Decided()
        self._events = events
        self._log = {event.seq: event for event in events}
        self._agent = events[0].agent if events and isinstance(events[0], SessionStarted) else AgentSpec()
        self._state: State | None = None
        self._pending: list[Publish] = []
        """Decided, and not found in the log yet."""
        self._forced = False
        """The state is the log's, not what the machine came to: operations have other numbers."""
        self._last: tuple[State, Input, Now] | None = None
        self._until = self._at = 0
        """Seq of the last event that was compared."""
        self._bridging = _bridging(events, {one.turn for one in events if isinstance(one, ToolCalled) and one.pool})
        """Words in the log by which a wait for tools was bridged, which nobody has decided again yet: they have no mark."""

    def run(self) -> None:
        if self._events:
            self.decided.rules.append(machine.rules_of(self._events[0]))
        for event in self._events[_kept(self._events) :]:
            entries = machine.fed_by(event)
            if entries is not None:
                self._batch(event, entries)
            elif event.seq > self._until:
                self._alone(event)

    # ── with all that was fed ────────────────────────────────────────────────────────────────────────────────────────

    def _batch(self, event: Event, entries: Sequence[machine.Entry]) -> None:
        """Feed what came before the publication that `event` begins, then compare it."""
        self._at = event.seq
        try:
            for entry in entries:
                self._feed(*machine.read_entry(entry, self._log))
        except EventError as error:
            self._break_off(event, str(error))
        except Exception as error:  # a stored log may say anything: the machine promises nothing for what no rim feeds
            self._break_off(event, f"turn-taking can't take what was fed ({type(error).__name__}: {error})")
        if self._state is None:
            self._alone(event)
            return
        self._compare(event)

    def _break_off(self, event: Event, why: str) -> None:
        self._state, self._pending = None, []
        self.decided.broken_off = self.decided.broken_off or f"event {event.seq} ({event.type}): {why}"

    def _feed(self, now: Now, item: Input | Beginning) -> None:
        match item:
            case machine.Opened(seq, rules):
                self._rules(rules)
                first = self._events[0]
                metadata = first.metadata if isinstance(first, SessionStarted) else {}
                began = machine.start(
                    _session(self._events), self._agent, now, seq=seq, began=first.at, metadata=metadata
                )
                self._enter(began, [])
            case machine.Resumed(events, gateway, epoch, positions, reason, rules):
                self._rules(rules)
                session = _session(self._events)
                self._enter(
                    *machine.resume(session, events, positions, now, gateway=gateway, epoch=epoch, reason=reason)
                )
            case machine.Rewound(events):
                if self._state is not None:
                    self._enter(*machine.rewound(self._state, events, now))
            case machine.Gap():
                self._state, self._pending = None, []
                self.decided.broken_off = self.decided.broken_off or "inputs are missing: too many came without a fact"
            case _ if self._state is not None:
                if isinstance(item, Published):
                    item = self._answer(item)
                before = self._state
                self._state, decisions = machine.step(before, item, now)
                self._last = before, item, now
                self._pending += _publications(decisions)
            case _:
                pass

    def _rules(self, rules: int) -> None:
        """Of a gateway: the first one's stand in session.started."""
        known = self.decided.rules
        if known == [None]:
            known[:] = [rules]
        elif known[-1] != rules:
            known.append(rules)

    def _enter(self, state: State, decisions: Sequence[Decision]) -> None:
        known = self._bridging
        self._bridging = [words for words in known if words.seq > self._at]  # by a gateway that is no more
        self._state, self._last, self._forced = state, None, False
        self._pending = _publications(decisions)  # what was decided before never came to the log

    def _answer(self, item: Published) -> Published:
        assert self._state is not None
        if item.outcome is Outcome.FULL:
            self._pending = [publish for publish in self._pending if publish.operation != item.operation]
        flight = self._state.flight
        if self._forced and flight is not None:
            return Published(flight.operation, item.outcome, item.seq)
        return item

    def _compare(self, event: Event) -> None:
        self._compare_bridging(event)
        recorded = list(self._publication(event))
        found = _likest(self._pending, recorded)
        for publish in self._pending:
            if publish is not found:
                for fact in publish.events:
                    self._differ(event.seq, fact, None, _body(fact))
        self._pending = []
        decided = list(found.events) if found is not None else []
        differs = len(self.decided.differences)
        for place in range(max(len(recorded), len(decided))):
            was = recorded[place] if place < len(recorded) else None
            now = decided[place] if place < len(decided) else None
            self._compare_facts(event.seq, was, now)
        self.decided.facts += len(recorded)
        self._until = recorded[-1].seq
        if len(self.decided.differences) > differs:
            self._follow(recorded)

    def _compare_bridging(self, event: Event) -> None:
        """Words that bridge a wait may be a publication by themselves, or stand in the midst of one."""
        for publish in self._pending:
            for words in _bridging(publish.events, {event.turn for event in publish.events}):
                same = next((one for one in self._bridging if _body(one) == _body(words)), None)
                if same is None:
                    self._differ(event.seq, words, None, _body(words))
                else:
                    self._bridging.remove(same)
                    self.decided.facts += 1
        for words in [one for one in self._bridging if one.seq < event.seq]:
            self._bridging.remove(words)
            self._differ(words.seq, words, _body(words), None)
        without = [_without_bridging(publish) for publish in self._pending]
        self._pending = [publish for publish in without if publish.events]

    def _publication(self, event: Event) -> Iterator[Event]:
        """What was published in one breath with `event`, from it on."""
        yield event
        own_turn = event.turn if isinstance(event, TurnCommitted) and event.why in OWN else None
        seq = event.seq + 1
        while (following := self._log.get(seq)) is not None and machine.fed_by(following) is None:
            words = isinstance(following, ReplySentence | ReplyFinished) and following.cause is None
            decided = isinstance(following, GatewayEvent) and following.clock is not None
            seq += 1
            if not decided and words and isinstance(following, ReplySentence) and following.turn != own_turn:
                continue  # it bridges a wait
            if not decided and not (words and following.turn == own_turn and own_turn is not None):
                return
            if isinstance(following, TurnCommitted):
                own_turn = following.turn if following.why in OWN else None
            elif isinstance(following, ReplyFinished):
                own_turn = None
            yield following

    def _compare_facts(self, seq: int, was: Event | None, now: Event | None) -> None:
        if was is None or now is None or was.type != now.type:
            if was is not None:
                self._differ(was.seq, was, _body(was), None)
            if now is not None:
                self._differ(was.seq if was is not None else seq, now, None, _body(now))
            return
        recorded, decided = _body(was), _body(now)
        names = [name for name in {**recorded, **decided} if recorded.get(name) != decided.get(name)]
        if names:
            only = [{name: body[name] for name in names if name in body} for body in (recorded, decided)]
            self._differ(was.seq, was, *only)

    def _differ(self, seq: int, event: Event, recorded: dict[str, Any] | None, decided: dict[str, Any] | None) -> None:
        if len(self.decided.differences) < _MOST:
            self.decided.differences.append(Difference(seq, event.type, event.turn, recorded, decided))

    def _follow(self, recorded: Sequence[Event]) -> None:
        """Go on as if what stands in the log had been decided."""
        if self._last is None or self._state is None:
            self._break_off(recorded[0], "what was decided as the session was taken over can't be gone on with")
            return
        before, item, now = self._last
        try:
            self._state = machine.followed(before, self._state, item, recorded, now)
        except Exception as error:  # it may be decided in a way this machine can't even think
            self._break_off(recorded[0], f"can't be gone on with ({type(error).__name__}: {error})")
        self._forced = True

    # ── by a decision's own inputs ───────────────────────────────────────────────────────────────────────────────────

    def _alone(self, event: Event) -> None:
        if not isinstance(event, TurnCommitted | TurnEnded):
            return
        try:
            found = machine.by_inputs(event, self._agent)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            self._differ(event.seq, event, {"inputs": "unreadable"}, {"inputs": f"{type(error).__name__}: {error}"})
            return
        if found is None:
            self.decided.untold += 1
            return
        self.decided.by_inputs += 1
        if found[0] != found[1]:
            self._differ(event.seq, event, *found)


def _session(events: Sequence[Event]) -> str:
    """Its name matters to nothing that is decided."""
    first = events[0]
    return first.room if isinstance(first, SessionStarted) else "session"


def _kept(events: Sequence[Event]) -> int:
    """How many events a fork has kept of the session it came from: those were decided there, by another agent's settings."""
    first = events[0] if events else None
    origin = first.metadata.get("forked_from") if isinstance(first, SessionStarted) else None
    kept = origin.get("kept") if isinstance(origin, dict) else None
    return kept if isinstance(kept, int) and 0 < kept < len(events) else 0


def _publications(decisions: Sequence[Decision]) -> list[Publish]:
    """Those that leave something to compare."""
    return [decision for decision in decisions if isinstance(decision, Publish) and decision.events]


def _bridging(events: Sequence[Event], turns: Set[int | None]) -> list[ReplySentence]:
    """Words that a gateway has said in the midst of an LLM's reply to one of these turns."""
    own = {event.turn for event in events if isinstance(event, TurnCommitted) and event.why in OWN}
    return [
        event
        for event in events
        if isinstance(event, ReplySentence) and event.cause is None and event.turn in turns - own
    ]


def _without_bridging(publish: Publish) -> Publish:
    bridging = _bridging(publish.events, {event.turn for event in publish.events})
    return replace(publish, events=tuple(event for event in publish.events if event not in bridging))


def _likest(pending: Sequence[Publish], recorded: Sequence[Event]) -> Publish | None:
    """Of several the one that begins as the log does; else the last."""
    same = [publish for publish in pending if publish.events[0].type == recorded[0].type]
    return next(reversed(same or pending), None)


def _body(event: Event) -> dict[str, Any]:
    """What was decided, of a fact, as JSON values."""
    body = {name: value for name, value in event_to_json(event).items() if name not in _NOT_DECIDED}
    inputs = {name: value for name, value in (body.pop("inputs", None) or {}).items() if name not in _BESIDE}
    return body | ({"inputs": inputs} if inputs else {})
