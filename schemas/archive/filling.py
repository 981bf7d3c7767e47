"""An archive of many sessions that never were, for whoever measures how it is searched: rows of a list, and no logs behind
them."""

import random

from schemas.archive._pieces import answers_bytes
from schemas.archive._tables import SESSIONS
from schemas.archive._writing import told_columns
from schemas.archive.store import Archive
from schemas.clock import Micros
from schemas.session.state import Participant
from schemas.session.summary import Answer, Summary

__all__ = ["fill"]

_YEAR = 365 * 86_400_000_000
_AT_ONCE = 1_000
_FIRST = 1_750_000_000_000_000


async def fill(archive: Archive, sessions: int, seed: int = 7) -> tuple[int, int]:
    """So many sessions over a year; answers when the first and the last of them began, µs."""
    dice = random.Random(seed)
    for start in range(0, sessions, _AT_ONCE):
        rows = [_row(number, sessions, dice) for number in range(start, min(start + _AT_ONCE, sessions))]
        async with archive.writing() as connection:
            await connection.execute(SESSIONS.insert(), rows)
    await archive.analyze()
    return _FIRST, _FIRST + _YEAR


def _row(number: int, sessions: int, dice: random.Random) -> dict[str, object]:
    began = Micros(_FIRST + _YEAR * number // sessions)
    ended = Micros(began + dice.randint(20, 900) * 1_000_000)
    answers = [
        Answer(turn, "voice", Micros(began + turn * 10_000_000), dice.uniform(0.3, 2.0), (0.2, 0.1, 0.1, 0.1, 0.1, 0.1))
        for turn in range(dice.randint(1, 12))
    ]
    totals = sorted(one.total for one in answers)
    who = dice.randint(1, 9_999)
    person = Participant(f"+4930{who:07}", "sip", f"Caller {who}", {"from": f"+4930{who:07}"}, present=False)
    wrong = dice.random() < 0.02
    told = Summary(
        session=f"ws-{dice.getrandbits(64):016x}", seq=40 * len(answers), at=ended, agent=f"agent-{number % 20}",
        room=f"room-{who % 500}", transport="sip" if number % 3 else "websocket", gateway=f"gateway-{number % 4}",
        people=(person,), started_at=began, ended_at=ended, duration=(ended - began) / 1e6, turns=len(answers), interrupted=0,
        restarts=0, failed=int(wrong), cut_off=0, unanswered=0, troubles=int(wrong), activity="ended", ended="hang_up",
        last=answers[-1].total, median=totals[len(totals) // 2], worst=totals[-1],
    )  # fmt: skip
    return {
        "session": told.session, "state": "done", "seq": told.seq, "at": ended, "archived_at": ended, "verified_at": ended,
        "bytes": 20_000, "sound_bytes": 900_000, **told_columns(told), "answers": answers_bytes(answers),
    }  # fmt: skip
