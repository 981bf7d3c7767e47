"""Turn-taking: one pure state machine. `(state, input, now) -> (state, decisions)`. No I/O, no tasks, no clock of its own."""

from gateway.turn_taking.interface import (
    Capture,
    Decision,
    EdgeKind,
    End,
    Input,
    LogEvent,
    NoMoreParts,
    Pause,
    Play,
    Played,
    Publish,
    Published,
    Queues,
    Refold,
    Resume,
    SpeechEdge,
    Stop,
    Tell,
    Tick,
)
from gateway.turn_taking.machine import start, step
from gateway.turn_taking.recovery import resume, rewound
from gateway.turn_taking.state import State

__all__ = [
    "Capture",
    "Decision",
    "EdgeKind",
    "End",
    "Input",
    "LogEvent",
    "NoMoreParts",
    "Pause",
    "Play",
    "Played",
    "Publish",
    "Published",
    "Queues",
    "Refold",
    "Resume",
    "SpeechEdge",
    "State",
    "Stop",
    "Tell",
    "Tick",
    "resume",
    "rewound",
    "start",
    "step",
]
