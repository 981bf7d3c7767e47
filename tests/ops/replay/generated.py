"""Sessions of whatever happens, from a number each: the same wherever they are made, unless something hangs on a hash.

`python -m tests.ops.replay.generated 50` makes the first 50, decides each again, and prints what came of both, in short.
"""

import hashlib
import json
import random
import sys
from typing import Any

from gateway.turn_taking import Queues
from ops.replay._decide import decide
from schemas.codec import event_from_json, event_to_json
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.events import Event
from tests.gateway.turn_taking.anything import SHORT, TEXTS, WHO, play
from tests.gateway.turn_taking.call import Stages
from tests.gateway.turn_taking.kept import Kept


def session(number: int) -> list[Event]:
    """The log of one."""
    dice = random.Random(number)
    agent = AgentSpec(
        greeting=dice.choice(("", "Hello, how can I help?")),
        limits=SHORT,
        patience=dice.choice((0.0, 0.3, 1.0)),
        turn_taking=TurnTaking(barge_in=dice.random() < 0.7, answer=dice.choice(("anyone", "linked", "addressed"))),
    )
    stages = Stages(
        stt=dice.choice((0.02, 0.1, 0.5)),
        llm=dice.choice((0.02, 0.1, 1.5)),
        tts=dice.choice((0.02, 0.1, 0.5)),
        replies=[["One two three.", "Four five six seven."], ["Four five six.", "Is it one, two or three?"], ["Yes."]],
        stt_fails=dice.random() < 0.1,
        llm_fails=dice.random() < 0.1,
        tool=dice.random() < 0.3,
    )
    people = dice.randint(1, 2)
    call = Kept(agent, stages, people=WHO[:people])
    call.gives(0.3, Queues(dice.choice((0, 3)), 0, 0))
    play(call, [_happening(dice) for _ in range(dice.randint(2, 12))], people)
    call.run(26.0)
    return call.log


def _happening(dice: random.Random) -> tuple[Any, ...]:
    moment = dice.randint(20, 2500) / 100
    kind = dice.choice(
        ("speech",) * 6
        + ("goes on",) * 2
        + ("noise", "typed", "say", "button", "away", "left", "full", "takeover", "rewind")
    )
    match kind:
        case "speech":
            return kind, moment, dice.choice((0.1, 0.2, 0.6, 1.4, 3.0)), dice.choice(TEXTS), dice.choice(WHO)
        case "goes on":
            after, length = dice.choice((0.1, 0.3, 0.5)), dice.choice((0.2, 0.6, 1.4))
            return kind, moment, after, length, dice.choice(TEXTS), dice.choice(WHO)
        case "noise":
            return kind, moment, dice.choice(WHO)
        case "say":
            return kind, moment, dice.random() < 0.5
        case "button" | "away" | "left":
            return kind, moment, dice.choice((0.1, 1.0, 3.0))
        case "rewind":
            return kind, moment, dice.randint(1, 8)
        case _:
            return kind, moment


def main(count: int) -> dict[str, Any]:
    """What came of them: a digest of their logs, one of what is decided now, and how often that differs."""
    logs, decided, facts, otherwise = hashlib.sha256(), hashlib.sha256(), 0, 0
    for number in range(count):
        lines = [json.dumps(event_to_json(event)) for event in session(number)]
        logs.update("\n".join(lines).encode())
        found = decide([event_from_json(json.loads(line)) for line in lines])
        decided.update(repr(found).encode())
        facts += found.facts
        otherwise += not found.same
    return {"logs": logs.hexdigest(), "decided": decided.hexdigest(), "facts": facts, "otherwise": otherwise}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
