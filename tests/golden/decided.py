"""Golden sessions that turn-taking itself has decided, by scripts: their logs tell what every decision was made from.

`python -m tests.golden.decided NAME` writes that one as NAME.jsonl, with its state beside it; without a name, those that have no
file yet. They are evidence of how turns were taken on their day, by the rules of that day: one is written anew only where
its script changes. Where the rules change, `antiphon check tests/golden --accept` tells what is decided otherwise, and keeps it
beside the log. `wrongly_decided` is made of what lies in `talked_over.jsonl`, and must be refused.
"""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ops.replay.check import amounts_to
from ops.replay.scripted import Called, Says, held
from schemas.codec import event_from_json, event_to_json
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.events import Event
from tests.golden.scenarios import FOLDER

HASTY = AgentSpec(instructions="Be brief.", turn_taking=TurnTaking(commit_min=0.2, commit_max=0.5, regret=0.0))
"""An agent that cuts in upon whoever thinks while they speak, and lets nobody take a turn back."""
SORRY = HASTY.model_copy(update={"turn_taking": TurnTaking(commit_min=0.2, commit_max=0.5)})
"""One that cuts in, and lets them."""


def cut_in() -> list[Event]:
    """A caller pauses in the midst of a sentence, and is cut in upon: the fault that `docs/` finds and mends."""
    script = [
        Says(1.0, "I would like to book a table for", ("For how many people?",), pause=0.0, sure=0.9),
        Says(4.1, "four people on Sunday evening.", ("A table for four on Sunday evening.",)),
        Says(11.0, "Thank you very much.", ("You are welcome.",)),
    ]
    return held(script, HASTY, until=16.0)


def talked_over() -> list[Event]:
    """A hum over the agent lets it go on; words over it stop it; a pause is waited for; a greeting before all."""
    story = ("Once upon a time there was a king who had a horse.", "It was green, and nobody minded that.")
    script = [
        Says(3.0, "Tell me a story please.", story),
        Says(7.0, "Mhm."),
        Says(9.5, "No wait, another one.", ("All right then.",)),
        Says(15.0, "Is there one about the sea and the wind?", ("There is one.",), pause=0.4),
    ]
    agent = AgentSpec(instructions="Be brief.", greeting="Hello there.")
    return held(script, agent, until=24.0)


def gone_on() -> list[Event]:
    """The same caller, who may take the turn back: they are answered whole."""
    script = [
        Says(1.0, "I would like to book a table for", ("For how many people?",), pause=0.0, sure=0.9),
        Says(4.1, "four people on Sunday evening.", ("A table for four on Sunday evening.",)),
        Says(11.0, "Thank you very much.", ("You are welcome.",)),
    ]
    return held(script, SORRY, until=16.0)


def looked_up() -> list[Event]:
    """A tool takes long, in the tools' pool: the wait is bridged, and what it answers is told; another, which the LLM's worker
    runs, is cut in upon, and comes to its end all the same."""
    agent = AgentSpec(instructions="Be brief.", patience=1.0, filler="One moment.", greeting="")
    rome = Called("weather", {"city": "Rome"}, "sunny, 21 °C", took=2.5, pool=True, patience=1.0)
    oslo = Called("weather", {"city": "Oslo"}, "rain, 9 °C", took=4.0)
    script = [
        Says(1.0, "What is the weather in Rome?", ("It is sunny in Rome.",), calls=(rome,)),
        Says(9.0, "And what about Oslo?", ("It rains in Oslo.",), calls=(oslo,)),
        Says(13.0, "Never mind, it does not matter.", ("All right then.",)),
    ]
    return held(script, agent, until=20.0)


def wrongly_decided(folder: Path = FOLDER) -> list[Event]:
    """What must be refused: `talked_over` as it is stored, in which a hum is said to have been noise."""
    return [event_from_json(json.loads(line)) for line in _wronged(folder)]


def _wronged(folder: Path) -> list[str]:
    bodies = map(json.loads, (folder / f"{talked_over.__name__}.jsonl").read_text("utf-8").splitlines())
    hum = {"type": "turn.ended", "reason": "backchannel"}
    wronged = (body | {"reason": "empty"} if hum.items() <= body.items() else body for body in bodies)
    return [json.dumps(body, ensure_ascii=False) for body in wronged]


DECIDED: list[Callable[[], list[Event]]] = [cut_in, talked_over, gone_on, looked_up]


def write(names: Iterable[str] = (), folder: Path = FOLDER) -> list[str]:
    """Those called so; without `names`, those that lie not in `folder`. Answers which."""
    chosen, written = set(names), []
    for scenario in [*DECIDED, wrongly_decided]:
        name = scenario.__name__
        if name not in chosen if chosen else (folder / f"{name}.jsonl").exists():
            continue
        if scenario is wrongly_decided:
            events, lines = wrongly_decided(folder), _wronged(folder)
        else:
            events = scenario()
            lines = [json.dumps(event_to_json(event), ensure_ascii=False) for event in events]
        _write(folder / f"{name}.jsonl", lines)
        _write(folder / f"{name}.state.json", [json.dumps(amounts_to(events), ensure_ascii=False, indent=1)])
        written.append(name)
    return written


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


if __name__ == "__main__":
    print(*write(sys.argv[1:]) or ["nothing: each is there; name the one whose script has changed"])
