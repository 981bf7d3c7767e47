"""`antiphon call`: a WAV in, the conversation out. For scripts, and for a first try with one's own voice."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops import console
from ops.audio import read_speech, write_stereo
from ops.caller import Caller, CallError, Message, Pcm
from ops.stack import running
from schemas.settings import load

_QUIET = 1.5  # seconds after the last sound and the last end of a turn in which nothing came


@dataclass(frozen=True, slots=True)
class Options:
    """`wav`: what the caller says; `out`: where the stereo recording goes (of several: -1, -2, … before the suffix)."""

    wav: Path
    url: str | None
    out: Path | None
    agent: str
    token: str
    sessions: int
    wait: float
    json: bool


def gateway_url(given: str | None) -> str:
    """The URL given, else the running stack's first gateway, else the configured one."""
    if given:
        return given
    stack = running()
    if stack:
        return str(stack["gateways"][0])
    settings = load()
    return f"ws://{settings.gateway_host}:{settings.gateway_port}/ws"


async def call(options: Options) -> bool:
    """Every session's result is printed as it ends. True when each of them was answered."""
    pcm = await asyncio.to_thread(read_speech, options.wav)
    results = await asyncio.gather(*(_one(options, pcm, number) for number in range(1, options.sessions + 1)))
    answered = sum(bool(result["replies"]) for result in results)
    if options.json:
        console.emit(results[0] if options.sessions == 1 else {"sessions": results, "answered": answered})
    elif options.sessions > 1:
        console.out.print(f"{answered} of {options.sessions} sessions were answered")
    return answered == options.sessions


async def _one(options: Options, pcm: Pcm, number: int) -> dict[str, Any]:
    alone = options.sessions == 1
    show = _print_message if alone and not options.json else None
    caller = Caller(gateway_url(options.url), agent=options.agent, token=options.token, on_message=show)
    began = time.monotonic()
    try:
        await caller.connect()
        last_sample = await caller.speak(pcm)
        await _until_quiet(caller, last_sample, options.wait)
        await caller.hang_up()
    except CallError as error:
        if alone:
            raise
        return {"session": caller.session, "error": str(error), "replies": [], "transcripts": []}
    finally:
        await caller.aclose()
    if options.out:
        path = options.out if alone else options.out.with_stem(f"{options.out.stem}-{number}")
        await asyncio.to_thread(write_stereo, path, *caller.recording(), caller.rate)
    first = caller.first_sound_after(last_sample)
    result = summary(caller) | {
        "voice_to_voice_ms": None if first is None else round((first - last_sample) * 1e3),
        "seconds": round(time.monotonic() - began, 2),
    }
    if show:
        _print_result(result, options.out)
    return result


async def _until_quiet(caller: Caller, last_sample: float, wait: float) -> None:
    """Until the agent has answered and been quiet for a while, or `wait` seconds have brought nothing."""
    while not caller.ended.is_set() and caller.connected:
        now = time.monotonic()
        news = [
            when for when, message in caller.messages if message["type"] in ("turn", "sentence", "transcript", "words")
        ]
        last = max([last_sample, caller.silent_at, *news])
        ended = [when for when, message in caller.messages if message["type"] == "turn" and when > last_sample]
        if now - last > (_QUIET if ended else wait):
            return
        await asyncio.sleep(0.05)


def summary(caller: Caller) -> dict[str, Any]:
    """What was said on both sides, from the messages the gateway sent."""
    replaced = {message.get("replaces") for _, message in caller.messages if message["type"] == "transcript"}
    transcripts = [
        message["text"]
        for _, message in caller.messages
        if message["type"] == "transcript" and message.get("final") and message.get("utterance") not in replaced
    ]
    turns = [message for _, message in caller.messages if message["type"] == "turn"]
    return {
        "session": caller.session,
        "transcripts": [text for text in transcripts if text],
        "replies": [turn["heard"] for turn in turns if turn.get("heard")],
        "turns": [{key: turn.get(key) for key in ("turn", "how", "reason", "heard")} for turn in turns],
        "error": caller.error,
    }


def _print_message(message: Message) -> None:
    match message:
        case {"type": "ready", "session": session}:
            console.out.print(f"session {session}", style="dim")
        case {"type": "transcript", "final": True, "text": text} if text:
            console.out.print(f"[cyan]you   [/] {text}")
        case {"type": "sentence", "text": text}:
            console.out.print(f"[green]agent [/] {text}")
        case {"type": "turn", "how": how, "heard": heard} if how == "interrupted":
            console.out.print(f"       interrupted; you had heard: {heard!r}", style="yellow")
        case {"type": "error", "message": text}:
            console.out.print(f"error  {text}", style="red", markup=False)


def _print_result(result: dict[str, Any], out: Path | None) -> None:
    latency = result["voice_to_voice_ms"]
    console.out.print(
        f"\n{'no reply came' if latency is None else f'{latency} ms from your last sample to the first of the reply'}"
    )
    if out:
        console.out.print(f"recording: {out} (left you, right the agent)")
    console.out.print(f"look inside: antiphon show {result['session']}")
