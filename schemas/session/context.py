"""When a conversation has outgrown what the LLM is given of it, and which turns a summary is to stand for. Pure."""

from dataclasses import dataclass

from schemas.session.chat import LONGEST_SUMMARY, lines_of, past, size_of
from schemas.session.state import SessionState
from schemas.text.tokens import tokens

__all__ = ["Due", "due"]

FULL, KEPT = 0.7, 0.3
"""Shares of the agent's limits: from where older turns are summarized, and how much of the latest ones stays as it was."""
_FEWEST = 2
"""Turns that stay in any case: what was said last is answered word by word."""


@dataclass(frozen=True, slots=True)
class Due:
    """`lines`: who said what in the turns up to `through`; `before`: what stands for those before them; `tokens`: of both, by
    estimate; `most`: tokens that the new summary may have."""

    through: int
    lines: tuple[str, ...]
    before: str
    tokens: int
    most: int


def due(state: SessionState) -> Due | None:
    """What is to be summarized now. None: nothing, or the agent has no limit in tokens."""
    limits = state.agent.limits
    if not limits.history_tokens:
        return None
    turns = []
    for turn in past(state, 1 << 62):
        if turn.end is None:
            break
        turns.append(turn)
    open_turns = [turn.id for turn in state.turns.values() if turn.end is None]
    turns = [turn for turn in turns if not open_turns or turn.id < open_turns[0]]
    before = state.earlier.text if state.earlier is not None else ""
    sizes = [size_of(state, turn) for turn in turns]

    def share(number: int) -> float:
        """Of the limits, by the last so many turns."""
        latest = sizes[len(sizes) - number :]
        characters, of_tokens = sum(one for one, _ in latest), sum(one for _, one in latest)
        return max(
            (of_tokens + tokens(before)) / limits.history_tokens,
            characters / limits.history_characters,
            number / limits.history_turns,
        )

    if len(turns) <= _FEWEST or share(len(turns)) <= FULL:
        return None
    kept = _FEWEST
    while kept + 1 < len(turns) and share(kept + 1) <= KEPT:
        kept += 1
    old = turns[: len(turns) - kept]
    lines = tuple(line for turn in old for line in lines_of(state, turn))
    most = max(40, min(LONGEST_SUMMARY // 4, limits.history_tokens // 5))
    whole = sum(size for _, size in sizes[: len(old)]) + tokens(before)
    return Due(old[-1].id, lines, before, round(whole), most)
