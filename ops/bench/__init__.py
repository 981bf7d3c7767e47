"""Benchmarks anyone can run: `antiphon bench NAME --json`. Each is a coroutine function that answers a dict of figures.

Medians and ratios are what to quote; the machine, its cores, the models and the parameters stand in the answer.
"""

import importlib
import os
import platform
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from schemas.config.settings import Settings

__all__ = ["BENCHES", "Bench", "find", "machine", "models", "table"]

Bench = Callable[..., Coroutine[Any, Any, dict[str, Any]]]

BENCHES = {
    "latency": ("ops.bench.latency", "last sample of speech to first agent sample; --livekit: in both kinds of room"),
    "barge-in": (
        "ops.bench.barge_in",
        "the caller speaks over the agent: from the speech's start to the agent's silence",
    ),
    "tools": (
        "ops.bench.tools",
        "a tool of 0 ms beside a plain answer; and calls while workers are killed: none is made twice",
    ),
    "log": ("ops.bench.log", "what the log adds to a turn of four stage hops, and fenced commits a second"),
    "stt": ("ops.bench.stt", "utterances a second of one STT worker, beside plain faster-whisper"),
    "phrases": ("ops.bench.phrases", "wake phrases heard, and machines told from people, with the real models"),
    "stages": ("ops.bench.stages", "one job of each stage alone"),
    "vad": ("ops.bench.vad", "participants one gateway process on one core can hear"),
    "calls": ("ops.bench.calls", "phone calls one gateway process on one core can hold"),
    "rooms": ("ops.bench.rooms", "LiveKit rooms one gateway process on one core can hold"),
    "curve": (
        "ops.bench.curve",
        "what shorter waits give and cost: latency against talk-over and spoilt turns, replayed in seconds",
    ),
    "peers": (
        "ops.bench.peers",
        "the same recordings and models with LiveKit Agents and Pipecat, which are installed for it on demand",
    ),
    "turns": ("ops.bench.turns", "cost of a late turn over an early one of the same session"),
    "dispatch": ("ops.bench.dispatch", "LiveKit rooms made at once: a job's offer until the agent hears its room"),
    "api": (
        "ops.bench.api",
        "one API process: how fast it reads, tokens a second, streams, and whether its loop is ever held",
    ),
    "console": (
        "ops.bench.console",
        "a real Chromium at a call of 10,000 events and 500 live sessions: first paint, frames, long tasks",
    ),
    "reading": (
        "ops.bench.reading",
        "processor time of a command that reads: sessions, show, state, export, stats, top",
    ),
    "archive": (
        "ops.bench.archive",
        "a call put away: processor time, size, memory, and what calls that go on notice of it",
    ),
    "archive-list": ("ops.bench.archive_list", "a filtered page out of 100,000 archived sessions"),
    "fold": (
        "ops.bench.fold",
        "a session of 100,000 events read again: events a second, and the state after any of them",
    ),
    "replay-turns": (
        "ops.bench.replay_turns",
        "how many times faster than it took turn-taking is replayed, on one core",
    ),
    "simulate": ("ops.bench.simulate", "conversations in text a minute, by scripted callers with a simulated LLM"),
    "scale-stt": ("ops.bench.scale_stt", "throughput of 1, 2, 4, 8 STT workers with a provider of fixed cost"),
}


def find(name: str) -> Bench:
    """The coroutine function `bench` of the module named so."""
    bench: Bench = importlib.import_module(BENCHES[name][0]).bench
    return bench


def table(name: str, figures: dict[str, Any]) -> "Table | None":
    """Its figures for a person, where they are more than names and numbers."""
    told: Callable[[dict[str, Any]], Table] | None = getattr(importlib.import_module(BENCHES[name][0]), "table", None)
    return told(figures) if told else None


def machine() -> dict[str, Any]:
    return {"cores": len(os.sched_getaffinity(0)), "python": platform.python_version(), "machine": platform.machine()}


def models(settings: "Settings") -> dict[str, Any]:
    """For benches of the real stages: with which models the figures were taken."""
    return {"models": f"{settings.stt_model}, {settings.llm_model}, {settings.tts_voice}"}
