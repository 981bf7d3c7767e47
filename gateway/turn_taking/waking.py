"""The wake phrase: the agent answers only who has said it, and whom it answered a moment ago.

It is found in the words of the transcript, by their sound rather than their letters: a small Whisper writes "Hey, Pitza." and
"antifone". Who wakes the agent, and that it sleeps again, are facts of the log, so that no verdict depends on a clock of ours.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from gateway.turn_taking.draft import Draft
from gateway.turn_taking.people import Person, Silent
from gateway.turn_taking.state import State, Turn
from schemas.clock import TurnTime
from schemas.events import AgentSlept, AgentWoke

_CALLS = frozenset(("hey", "hay", "hei", "hej", "hi", "ay", "ey", "hello", "hallo", "halo", "ok", "okay", "okey"))
"""Words that call somebody, as they are heard: before a name, one is as good as another of its kind."""
_OKAYS = frozenset(("ok", "okay", "okey"))
_SOUNDS = (
    ("ph", "f"), ("ck", "k"), ("qu", "k"), ("c", "k"), ("z", "s"), ("x", "ks"), ("y", "i"), ("th", "t"), ("w", "v"),
    ("ee", "i"), ("ea", "i"), ("oo", "u"), ("ou", "u"),
)  # fmt: skip
_LONGEST = 4000
"""Characters in which it is looked for."""


def found(phrases: Sequence[str], text: str) -> str:
    """The phrase that is in `text`; "": none is."""
    spoken = _words(text[-_LONGEST:])
    for phrase in phrases:
        wanted = _wanted(phrase)
        if wanted and any(_follows(wanted, spoken[at:]) for at in range(len(spoken))):
            return phrase
    return ""


@lru_cache(maxsize=256)
def _wanted(phrase: str) -> tuple[str, ...]:
    return tuple(_words(phrase))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold().replace("'", "").replace("’", ""))


def _follows(wanted: Sequence[str], spoken: Sequence[str]) -> bool:
    """Whether `spoken` begins with all of `wanted`: word by word, or two words written as one, or one as two."""
    if not wanted:
        return True
    if not spoken:
        return False
    if _same(wanted[0], spoken[0]) and _follows(wanted[1:], spoken[1:]):
        return True
    if len(spoken) > 1 and _alike(wanted[0], spoken[0] + spoken[1]) and _follows(wanted[1:], spoken[2:]):
        return True
    return len(wanted) > 1 and _alike(wanted[0] + wanted[1], spoken[0]) and _follows(wanted[2:], spoken[1:])


def _same(wanted: str, spoken: str) -> bool:
    if wanted in _CALLS and spoken in _CALLS:
        return (wanted in _OKAYS) == (spoken in _OKAYS)
    return _alike(wanted, spoken)


def _alike(wanted: str, spoken: str) -> bool:
    """By sound, and with one letter in four otherwise; of short words every letter counts."""
    if abs(len(wanted) - len(spoken)) > 4:
        return False
    first, second = _sound(wanted), _sound(spoken)
    return _distance(first, second) <= len(first) // 4


@lru_cache(maxsize=4096)
def _sound(word: str) -> str:
    for written, heard in _SOUNDS:
        word = word.replace(written, heard)
    word = re.sub(r"(.)\1+", r"\1", word)
    return re.sub(r"(?<=[^aiou])e$", "", word)


def _distance(first: str, second: str) -> int:
    """Letters to change, add and leave out."""
    row = list(range(len(second) + 1))
    for place, letter in enumerate(first, 1):
        before, row[0] = row[0], place
        for column, other in enumerate(second, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (letter != other))
    return row[-1]


# ── awake, asleep ────────────────────────────────────────────────────────────────────────────────────────────────────


def pressed(draft: Draft, person: Person) -> None:
    """Who presses the button means the agent."""
    if draft.state.agent.turn_taking.wake and not person.awake:
        draft.fact(AgentWoke, participant=person.name)


def settle(draft: Draft) -> bool:
    """Wake by what was said; sleep by what was not."""
    if not draft.state.agent.turn_taking.wake:
        return False
    return any(_wakes(draft, turn) for turn in tuple(draft.state.turns.values())) or _sleeps(draft)


def _wakes(draft: Draft, turn: Turn) -> bool:
    if turn.own is not None:
        return False
    for name in dict.fromkeys(turn.speakers):
        person = draft.state.people.get(name)
        said = " ".join(one.words for one in turn.utterances if one.participant == name and one.words)
        phrase = found(draft.state.agent.turn_taking.wake, said)
        if person is not None and not person.awake and phrase:
            draft.fact(AgentWoke, turn=turn.id, participant=name, phrase=phrase)
            return True
    return False


def _sleeps(draft: Draft) -> bool:
    for person in _waiting(draft.state):
        if draft.due(_until(draft.state, person)):
            draft.fact(AgentSlept, participant=person.name, after=round(draft.time - person.answered, 3))
            return True
    return False


def timers(state: State) -> Iterator[TurnTime]:
    for person in _waiting(state):
        yield _until(state, person)


def _until(state: State, person: Person) -> TurnTime:
    return person.answered + state.agent.turn_taking.wake_for


def _waiting(state: State) -> Iterator[Person]:
    """Whom the agent listens to while nothing is going on: what began in time is heard to its end."""
    if state.agent.turn_taking.wake and not state.turns:
        people = state.people.values()
        yield from (one for one in people if one.awake and not one.pressed and isinstance(one.voice, Silent))
