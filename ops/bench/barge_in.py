"""`antiphon bench barge-in`: a caller speaks over the agent; from the first sample of the speech to the agent's silence.

The whole stack runs as separate processes. The agent tells something long; the caller waits for its sound and speaks over it,
three seconds at most. Timed is from the first sample of that speech to the last sample of the agent that reaches the caller
while it lasts; where the agent is still heard at its end, it was missed. With `--livekit` each is spoken twice, in a WebSocket
room and in a LiveKit room.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from ops.bench import machine, models
from ops.bench._recordings import turns as recorded_turns
from ops.bench.figures import milliseconds
from ops.bench.latency import caller_in
from ops.stack.stack import Plan, Stack
from schemas.config.settings import load

AGENT = """name = "teller"
greeting = "{story}"
"""
STORY = " ".join(
    f"This is sentence number {number} of a long story that goes on and on without any end, just to be interrupted."
    for number in ("one", "two", "three", "four", "five", "six")
)
_WORDS = 3.0  # seconds of somebody's speech that is spoken over the agent
_TURNS = 12


async def bench(livekit: bool = False, turns: int | None = None, **_: Any) -> dict[str, Any]:
    script = [turn.pcm for turn in recorded_turns() if not turn.pauses and len(turn.pcm) > 16_000]
    found: dict[str, list[float | None]] = {"websocket": [], "livekit": []} if livekit else {"websocket": []}
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as data:
        agent = Path(data) / "teller.toml"
        agent.write_text(AGENT.format(story=STORY))
        plan = Plan(Path(data) / "stack", free_ports=True, livekit=livekit, environment={"AGENTS": str(agent)})
        async with Stack(plan, load()) as stack:
            for number in range(turns or _TURNS):
                speech = script[number % len(script)][: int(_WORDS * 16_000)]
                for room, took in found.items():
                    took.append(await _interrupt(stack, room, speech, number))
    figures = {room: _figures(took) for room, took in found.items()}
    main = figures.pop("livekit", None) or figures.pop("websocket")
    return {**main, **figures, **models(load()), **machine()}


def _figures(took: list[float | None]) -> dict[str, Any]:
    found = [one for one in took if one is not None]
    return {
        "turns": len(took),
        "p50_ms": milliseconds(found, 50),
        "p95_ms": milliseconds(found, 95),
        "missed": took.count(None),
        "each_ms": [one if one is None else round(one * 1e3) for one in took],
    }


async def _interrupt(stack: Stack, room: str, speech: Any, number: int) -> float | None:
    """Seconds from the speech's first sample to silence; None: the agent spoke on."""
    caller = caller_in(room, stack)
    await caller.connect()
    try:
        end = time.monotonic() + 15
        while not caller.heard and time.monotonic() < end:
            await asyncio.sleep(0.02)
        await asyncio.sleep(1.5 + 0.13 * (number % 5))
        began = time.monotonic()
        last_sample = await caller.speak(speech)
        first_sample = last_sample - len(speech) / 16_000
        if first_sample < began - 0.2 or not caller.heard:
            return None
        sounds = [sound.start + len(sound.pcm) / caller.rate for sound in caller.heard if sound.start < last_sample]
        silent = max(sounds)
        return None if silent > last_sample - 0.3 else max(0.0, silent - first_sample)
    finally:
        await caller.hang_up()
