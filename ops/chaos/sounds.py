"""What somebody heard of an agent whose words are tones, and whether it was what the log says: nothing twice, nothing left out,
never two agents at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.events import Event, PlaybackStarted, ReplySentence, SessionResumed
from workers.simulated import pitch

_HEARD = 3
"""Windows of a tone that make it heard: fewer may be an edge between two."""


@dataclass(frozen=True, slots=True)
class Window:
    """A tenth of a second in which the agent sounded. `when`: monotonic seconds; `pitch`: Hz; `track`: by which it came."""

    when: float
    pitch: int
    track: str


@dataclass(slots=True)
class Sounds:
    """`windows`: in the order of time; `begins`: when the first sentence of a reply began to play, and of which turn."""

    windows: list[Window] = field(default_factory=list)
    begins: list[tuple[float, int]] = field(default_factory=list)

    @property
    def tracks(self) -> frozenset[str]:
        return frozenset(window.track for window in self.windows)

    def pitches(self, after: float, until: float, *, but_by: frozenset[str] = frozenset()) -> set[int]:
        """Of what was heard in that time, by other tracks than these."""
        heard = [one for one in self.windows if after < one.when <= until and one.track not in but_by]
        return {tone for tone, count in Counter(one.pitch for one in heard).items() if count >= _HEARD}

    def first_by_another(self, known: frozenset[str], after: float) -> float | None:
        """When a track that is none of `known` sounded first."""
        return next((one.when for one in self.windows if one.when > after and one.track not in known), None)

    def at_once(self) -> list[str]:
        """Where an agent's old track sounded again after its new one had: one line for each."""
        found: dict[str, str] = {}
        left: set[str] = set()
        newest = ""
        for window in self.windows:
            if window.track in left:
                found.setdefault(window.track, f"two agents sounded: track {window.track} again after {newest}")
            elif window.track != newest:
                left |= {newest} - {""}
                newest = window.track
        return list(found.values())


@dataclass(frozen=True, slots=True)
class Hit:
    """A gateway killed, or stopped, at `when` (monotonic seconds), while it spoke in this turn by one of these tracks."""

    turn: int
    when: float
    tracks: frozenset[str]


def misheard(hit: Hit, sounds: Sounds, events: Sequence[Event]) -> list[str]:
    """What is wrong with the rest of a reply after its gateway was hit, one sentence each; [] is as it should be."""
    said = {one.index: pitch(one.text) for one in events if isinstance(one, ReplySentence) and one.turn == hit.turn}
    if len(set(said.values())) < len(said):
        return []  # two sentences of this reply sound alike
    played: set[int] = set()
    latest: int | None = None
    resumed = False
    for event in events:
        if isinstance(event, PlaybackStarted) and event.turn == hit.turn:
            latest = said.get(event.index, 0)
            if resumed:
                played.add(latest)
        elif isinstance(event, SessionResumed) and latest is not None:
            resumed = True
            played.discard(latest)  # what had begun when a gateway died may have been heard, or not: never twice
    began = max((when for when, turn in sounds.begins if turn == hit.turn and when <= hit.when), default=hit.when)
    until = min((when for when, turn in sounds.begins if turn > hit.turn), default=float("inf"))
    before = sounds.pitches(began, hit.when)
    after = sounds.pitches(hit.when, until, but_by=hit.tracks)
    again = [f"turn {hit.turn}: {tone} Hz was heard again" for tone in sorted(before & after & set(said.values()))]
    return again + [f"turn {hit.turn}: {tone} Hz was played and not heard" for tone in sorted(played - after)]
