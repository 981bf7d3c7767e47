"""Golden sessions that turn-taking itself has decided, by scripts: their logs tell what every decision was made from.

`python -m tests.golden.decided` writes each as NAME.jsonl, with its state beside it, and `wrongly_decided.jsonl`, which must be
refused. They are evidence of how turns were taken on their day: write one anew only where its script changes. Where the rules
change, `antiphon check tests/golden --accept` tells what is decided otherwise, and keeps it beside the log.
"""

import json
from collections.abc import Callable, Sequence

from ops.replay.check import amounts_to
from ops.replay.scripted import Says, held
from schemas.codec import event_to_json
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.events import Event, TurnEnded
from tests.golden.scenarios import FOLDER

HASTY = AgentSpec(instructions="Be brief.", turn_taking=TurnTaking(commit_min=0.2, commit_max=0.5))
"""An agent that cuts in upon whoever thinks while they speak."""


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


def wrongly_decided() -> list[Event]:
    """What must be refused: `talked_over`, in which a hum is said to have been noise."""
    return [
        event.model_copy(update={"reason": "empty"})
        if isinstance(event, TurnEnded) and event.reason == "backchannel"
        else event
        for event in talked_over()
    ]


DECIDED: list[Callable[[], list[Event]]] = [cut_in, talked_over]


def write() -> None:
    for scenario in [*DECIDED, wrongly_decided]:
        events = scenario()
        _write(f"{scenario.__name__}.jsonl", [json.dumps(event_to_json(event), ensure_ascii=False) for event in events])
        state = json.dumps(amounts_to(events), ensure_ascii=False, indent=1)
        _write(f"{scenario.__name__}.state.json", [state])


def _write(name: str, lines: Sequence[str]) -> None:
    (FOLDER / name).write_text("".join(f"{line}\n" for line in lines), "utf-8")


if __name__ == "__main__":
    write()
