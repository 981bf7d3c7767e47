"""`antiphon bench replay-turns`: how fast turn-taking is replayed, on one core.

A ten-minute call of 60 turns, with pauses in the midst of sentences and words said over the agent, is decided again with another
setting: from its events in memory to the fork's log and the turns side by side. `times_real_time`: its length over the CPU time
of the median of `runs`.
"""

import statistics
import time
from typing import Any

from ops.bench import machine
from ops.replay.scripted import Says, held
from ops.replay.turns import replay

_TURNS, _EACH, _RUNS = 60, 10.0, 5
_ASKS = ("Could you tell me when", "Is there a table for", "Please look up the price of", "What can you say about")
_ANSWER = ("There is one at ten past three.", "It leaves from platform nine.", "Shall I book a seat for you?")


async def bench(turns: int = _TURNS, **_: Any) -> dict[str, Any]:
    seconds = turns * _EACH
    events = held(_script(turns), until=seconds)
    was = events[0].agent  # type: ignore[union-attr]
    patient = was.model_copy(update={"turn_taking": was.turn_taking.model_copy(update={"commit_max": 2.0})})
    took, otherwise = [], 0
    for _run in range(_RUNS):
        began = time.process_time()
        replayed = replay(events, patient, session="bench", changed={"turn_taking.commit_max": 2.0})
        took.append(time.process_time() - began)
        otherwise = sum(bool(pair.otherwise) for pair in replayed.turns)
    median = statistics.median(took)
    return {
        "times_real_time": round(seconds / median, 1),
        "cpu_s": round(median, 3),
        "seconds": seconds,
        "events": len(events),
        "turns": turns,
        "turns_decided_otherwise": otherwise,
        "runs": _RUNS,
        **machine(),
    }


def _script(turns: int) -> list[Says]:
    """Every third turn has a pause in its midst; over every fifth answer somebody hums, over every seventh they speak."""
    script: list[Says] = []
    for number in range(turns):
        at = 1.0 + number * _EACH
        text = f"{_ASKS[number % len(_ASKS)]} number {number} on Sunday?"
        script.append(Says(at, text, _ANSWER, pause=0.5 if number % 3 == 0 else 0.0))
        if number % 7 == 6:
            script.append(Says(at + 5.5, f"No wait, number {number + 1} please.", ("All right.",)))
        elif number % 5 == 4:
            script.append(Says(at + 5.5, "Mhm."))
    return script
