"""What a session was about, in two or three sentences and some topics, by a model that was not in it."""

import re

from ops.jobs.asking import CALL_IS_TOLD, Asking
from schemas.bus import Reading
from schemas.errors import Transient
from schemas.session.chat import counts, reworded
from schemas.session.history import steps_of
from schemas.session.state import SessionState, Turn
from schemas.session.summary import Gist
from schemas.text.clean import one_line

__all__ = ["Summaries", "gist_of", "transcript"]

_LONGEST = 8_000
"""Characters of a call that the model is given: the beginning, and twice as much of the end."""
_LONGEST_LINE = 1_000
_TEXT, _TOPIC, _TOPICS = 1_200, 60, 8
"""Characters of a summary and of a topic, and how many of these, that are kept."""
_WHO = f"You write short summaries of phone calls between a caller and an agent. {CALL_IS_TOLD}"
_ASKED = """
Summarize this call in two or three plain sentences, in its language: what the caller wanted, what was agreed, what is \
left to do. Then write one last line that begins with "Topics:" and names two to five topics, comma-separated."""


class Summaries:
    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def of(self, log: Reading, session: str) -> Gist:
        """Of a session in which nothing was said: nothing. ProviderError: the endpoint did something else than answer."""
        said = await transcript(log, session)
        if not said:
            return Gist("")
        asked = f"<call>\n{said}\n</call>\n{_ASKED}"
        gist = gist_of(
            await self._asking.ask([{"role": "system", "content": _WHO}, {"role": "user", "content": asked}], 300)
        )
        if not gist.text:
            raise Transient(f"{self._asking.model} said nothing that is a summary (SUMMARY_MODEL)", "empty")
        return gist


def gist_of(answer: str) -> Gist:
    """Whatever a model makes of what it was asked: its text on one line, and the topics where it names any."""
    text, _, topics = re.sub(r"[*#`]+", "", answer).partition("Topics:")
    named = [one_line(part.strip(" .-•\"'\n\t"), _TOPIC) for part in re.split(r"[,;\n]", topics)]
    return Gist(one_line(text, _TEXT), tuple(dict.fromkeys(part for part in named if part))[:_TOPICS])


async def transcript(log: Reading, session: str) -> str:
    """Who said what, a line each, of the agent what was heard; of a long call the middle is left out. None of what was said can
    pose as a line of somebody else's, or as the end of the call."""
    first: list[str] = []
    last: list[str] = []
    room, kept, left_out = _LONGEST // 3, 0, False
    async for step in steps_of(log, session):
        turn = step.state.turns.get(step.event.turn or 0) if step.event.type == "turn.ended" else None
        for said in _lines(step.state, turn) if turn is not None and counts(turn) else ():
            if not last and room >= len(said):
                first.append(said)
                room -= len(said)
                continue
            room = 0
            last.append(said)
            kept += len(said)
            while kept > _LONGEST * 2 // 3 and len(last) > 1:
                kept -= len(last.pop(0))
                left_out = True
    return "\n".join([*first, *(["[…]"] if left_out else []), *last])


def _lines(state: SessionState, turn: Turn) -> list[str]:
    """What a hook has kept from the LLM is kept from this one, too."""
    said = [(utterance.participant, utterance.words) for utterance in turn.utterances if utterance.words]
    said += [(letter.participant, letter.text) for letter in turn.letters]
    if (made := reworded(turn)) is not None:
        said = [(said[-1][0], made)] if said and made else []
    people = {person.identity: person.shown for person in state.participants.values()}
    lines = [f"{one_line(people.get(who, who), 40).replace(':', '')}: {_fit(text)}" for who, text in said]
    return [*lines, *([f"Agent: {_fit(turn.heard)}"] if turn.heard else [])]


def _fit(text: str) -> str:
    return one_line(text.replace("<", "‹").replace(">", "›"), _LONGEST_LINE)
