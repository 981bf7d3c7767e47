"""A recording's conversation with an agent, printed as it is held: what `antiphon call` does."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from gateway.sound.audio_file import read_speech
from ops import console
from ops.people.audio import write_stereo
from ops.people.caller import Caller
from ops.people.dialogue import Dialogue
from ops.people.entry import HOW_TO_GET_IN, client_token, gateway_url
from ops.people.person import CallError, Person
from schemas.access.tokens import Grant
from schemas.audio import Pcm
from schemas.client import SentenceMessage, TranscriptMessage, TurnMessage, WordsMessage

_CODES = {"unreachable": console.UNREACHABLE, "log": console.UNREACHABLE, "agent": console.USAGE}
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


async def hold(options: Options) -> bool:
    """Of one session what is said is printed as it is; of several, how many were answered. True when all were."""
    pcm = await asyncio.to_thread(read_speech, options.wav)
    try:
        results = await asyncio.gather(*(_one(options, pcm, number) for number in range(1, options.sessions + 1)))
    except CallError as error:
        advice = f"; {HOW_TO_GET_IN}" if error.code == "token" else ""
        console.fail(f"{error}{advice}", _CODES.get(error.code, console.FAILED))
    answered = sum(bool(result["replies"]) for result in results)
    if options.json:
        console.emit(results[0] if options.sessions == 1 else {"sessions": results, "answered": answered})
    elif options.sessions > 1:
        console.out.print(f"{answered} of {options.sessions} sessions were answered")
    return answered == options.sessions


async def _one(options: Options, pcm: Pcm, number: int) -> dict[str, Any]:
    alone = options.sessions == 1
    dialogue = Dialogue(_print_line, "you") if alone and not options.json else None
    caller = Caller(
        gateway_url(options.url),
        agent=options.agent,
        token=client_token(options.token, Grant(agent=options.agent)),
        on_message=dialogue.message if dialogue else None,
    )
    began = time.monotonic()
    try:
        last_sample = await _converse(caller, pcm, options.wait)
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
    first = None if last_sample is None else caller.first_sound_after(last_sample)
    result = summary(caller) | {
        "voice_to_voice_ms": None if first is None or last_sample is None else round((first - last_sample) * 1e3),
        "seconds": round(time.monotonic() - began, 2),
    }
    if dialogue:
        _print_result(result, options.out)
    return result


async def _converse(caller: Caller, pcm: Pcm, wait: float) -> float | None:
    """Speak and hear the answer, through whatever befalls the line; answers when the last sample was spoken (None: the session
    ended before). CallError when there is no getting in, or in again."""
    await caller.connect()
    talking = asyncio.create_task(_talk(caller, pcm, wait))
    keeping = asyncio.create_task(caller.keep())
    try:
        await asyncio.wait((talking, keeping), return_when=asyncio.FIRST_COMPLETED)
        if not talking.done():
            await keeping  # its error, if it is one that ended it
            await asyncio.wait((talking,), timeout=0.2)
        return talking.result() if talking.done() else None
    finally:
        talking.cancel()
        keeping.cancel()
        await asyncio.gather(talking, keeping, return_exceptions=True)


async def _talk(caller: Caller, pcm: Pcm, wait: float) -> float:
    last_sample = await caller.speak(pcm)
    await _until_quiet(caller, last_sample, wait)
    return last_sample


async def _until_quiet(caller: Caller, last_sample: float, wait: float) -> None:
    """Until the agent has answered and been quiet for a while, or `wait` seconds have brought nothing."""
    while not caller.ended.is_set():
        now = time.monotonic()
        news = [
            when
            for when, message in caller.messages
            if isinstance(message, TurnMessage | SentenceMessage | TranscriptMessage | WordsMessage)
        ]
        last = max([last_sample, caller.silent_at, *news])
        ended = any(
            isinstance(message, TurnMessage) and message.why != "filler" and when > last_sample
            for when, message in caller.messages
        )
        if now - last > (_QUIET if ended else wait):
            return
        await asyncio.sleep(0.05)


def summary(caller: Person) -> dict[str, Any]:
    """What was said on both sides, from the messages the gateway sent."""
    heard = [message for _, message in caller.messages if isinstance(message, TranscriptMessage)]
    transcripts = [message.text for message in heard if message.final]
    turns = [message for _, message in caller.messages if isinstance(message, TurnMessage)]
    return {
        "session": caller.session,
        "transcripts": [text for text in transcripts if text],
        "replies": [turn.heard for turn in turns if turn.heard],
        "turns": [turn.model_dump(exclude={"type"}) for turn in turns],
        "error": caller.error,
    }


def _print_line(who: str, text: str, style: str) -> None:
    console.hang(Text(f"{who:<7}", style=style), text)


def _print_result(result: dict[str, Any], out: Path | None) -> None:
    latency = result["voice_to_voice_ms"]
    console.out.print(
        f"\n{'no reply came' if latency is None else f'{latency} ms from your last sample to the first of the reply'}"
    )
    if out:
        console.out.print(f"recording: {out} (left you, right the agent)")
    console.out.print(f"look inside: {console.me()} show {result['session']}", soft_wrap=True)
