"""A recording's conversation with an agent, printed as it is held: what `antiphon call` does."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.text import Text

from gateway.sound.audio_file import read_speech
from ops import console
from ops.people.audio import look_where_to_write, quiet_end, write_stereo
from ops.people.caller import Caller
from ops.people.dialogue import Dialogue
from ops.people.entry import HOW_TO_GET_IN, client_token, gateway_url
from ops.people.person import CallError, Person
from schemas.access.tokens import Grant
from schemas.audio import HEARING_RATE, Pcm
from schemas.client import SentenceMessage, TranscriptMessage, TurnMessage, WordsMessage
from schemas.config.settings import load
from schemas.errors import AntiphonError
from schemas.session.state import OWN

_CODES = {"unreachable": console.UNREACHABLE, "log": console.UNREACHABLE, "agent": console.USAGE}
_QUIET = 1.5  # seconds after the last sound and the last end of a turn in which nothing came


@dataclass(frozen=True, slots=True)
class Options:
    """`wav`: what the caller says; `out`: where the stereo recording goes, WAV or FLAC (of several: -1, -2, … before the suffix);
    `at_once`: the caller speaks into the greeting."""

    wav: Path
    url: str | None
    out: Path | None
    agent: str
    token: str
    sessions: int
    wait: float
    json: bool
    at_once: bool = False

    def recording(self, number: int) -> Path | None:
        if self.out is None or self.sessions == 1:
            return self.out
        return self.out.with_stem(f"{self.out.stem}-{number}")


async def hold(options: Options) -> bool:
    """Of one session what is said is printed as it is; of several, how many were answered. True when all were. Ctrl-C hangs up:
    what was said by then is told and written all the same."""
    pcm = await asyncio.to_thread(read_speech, options.wav)
    numbers = range(1, options.sessions + 1)
    for path in filter(None, map(options.recording, numbers)):
        look_where_to_write(path)
    with hanging_up() as hung_up:
        try:
            results = await asyncio.gather(*(_one(options, pcm, number, hung_up) for number in numbers))
        except CallError as error:
            refuse(error, options.agent)
    answered = sum(map(_was_answered, results))
    if options.json:
        console.emit(results[0] if options.sessions == 1 else {"sessions": results, "answered": answered})
    elif options.sessions > 1:
        console.out.print(f"{answered} of {options.sessions} sessions were answered")
    if hung_up.is_set():
        raise typer.Exit(console.STOPPED)
    return answered == options.sessions


def _was_answered(result: dict[str, Any]) -> bool:
    """By more than what the agent says of its own accord: the greeting, what bridges the wait, an apology."""
    return any(turn["heard"] and turn["why"] not in OWN for turn in result["turns"])


def refuse(error: CallError, agent: str) -> NoReturn:
    """Say why there was no call with `agent`, and what to do about it; exit."""
    advice = HOW_TO_GET_IN if error.code == "token" else _agents_here(agent) if error.code == "agent" else ""
    console.fail(f"{error}{advice and f'; {advice}'}", _CODES.get(error.code, console.FAILED))


def _agents_here(wanted: str) -> str:
    """Gateways tell strangers no names; who sits at this machine may read its agent files."""
    from ops.stack.agents import where_agents_are

    with contextlib.suppress(AntiphonError):
        return where_agents_are(load(), wanted)
    return ""


@contextmanager
def hanging_up() -> Iterator[asyncio.Event]:
    """Set at the first Ctrl-C; a second one ends the process."""
    asked, loop = asyncio.Event(), asyncio.get_running_loop()

    def hang_up() -> None:
        asked.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, hang_up)
    try:
        yield asked
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def _one(options: Options, pcm: Pcm, number: int, hung_up: asyncio.Event) -> dict[str, Any]:
    alone = options.sessions == 1
    dialogue = Dialogue(print_line, "you") if alone and not options.json else None
    caller = Caller(
        gateway_url(options.url),
        agent=options.agent,
        token=client_token(options.token, Grant(agent=options.agent)),
        on_message=dialogue.message if dialogue else None,
    )
    began = time.monotonic()
    last_sample: float | None = None
    out = options.recording(number)
    try:
        last_sample = await _converse(caller, pcm, options, hung_up)
        await caller.hang_up()
    except CallError as error:
        if alone:
            raise
        return {"session": caller.session, "error": str(error), "replies": [], "transcripts": [], "turns": []}
    finally:
        await caller.aclose()
        if out is not None and caller.session:
            await asyncio.to_thread(write_stereo, out, *caller.recording(), caller.rate)
    first = None if last_sample is None else caller.answered_after(last_sample)
    result = summary(caller) | {
        "voice_to_voice_ms": None if first is None or last_sample is None else round((first - last_sample) * 1e3),
        "seconds": round(time.monotonic() - began, 2),
    }
    if dialogue:
        _print_result(result, out, spoken=last_sample is not None)
    return result


async def _converse(caller: Caller, pcm: Pcm, options: Options, hung_up: asyncio.Event) -> float | None:
    """Speak and hear the answer, through whatever befalls the line; answers when the last audible sample was spoken (None: the
    session ended before, or somebody hung up). CallError when there is no getting in, or in again."""
    hanging = asyncio.ensure_future(hung_up.wait())
    connecting = asyncio.ensure_future(caller.connect())
    tasks: list[asyncio.Future[Any]] = [hanging, connecting]
    spoken: list[float] = []
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done():
            return None
        connecting.result()
        talking = asyncio.ensure_future(_talk(caller, pcm, options, spoken))
        keeping = asyncio.ensure_future(caller.keep())
        tasks += [talking, keeping]
        await asyncio.wait((talking, keeping, hanging), return_when=asyncio.FIRST_COMPLETED)
        if talking.done():
            talking.result()
        elif keeping.done():
            keeping.result()  # its error, if it is one that ended it
            await asyncio.wait((talking,), timeout=0.2)
        return spoken[0] if spoken else None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _talk(caller: Caller, pcm: Pcm, options: Options, spoken: list[float]) -> None:
    if not options.at_once and not await caller.hear_greeting() and options.sessions == 1 and not options.json:
        print_line("", "the agent has no greeting: the recording begins", "dim")
    spoken.append(await caller.speak(pcm) - quiet_end(pcm) / HEARING_RATE)
    await until_quiet(caller, spoken[0], options.wait)


async def until_quiet(caller: Caller, last_sample: float, wait: float) -> None:
    """Until the agent has answered and been quiet for a while, or `wait` seconds have brought nothing. A turn that was spoken
    over, or taken back, is no answer: one to what was said over it follows."""
    while not caller.ended.is_set():
        now = time.monotonic()
        news = [
            when
            for when, message in caller.messages
            if isinstance(message, TurnMessage | SentenceMessage | TranscriptMessage | WordsMessage)
        ]
        last = max([last_sample, caller.silent_at, *news])
        ended = any(
            isinstance(message, TurnMessage)
            and message.why != "filler"
            and message.how != "interrupted"
            and message.reason != "taken_back"
            and when > last_sample
            for when, message in caller.messages
        )
        if now - last > (_QUIET if ended else wait):
            return
        await asyncio.sleep(0.05)


def summary(caller: Person) -> dict[str, Any]:
    """What was said on both sides, from the messages the gateway sent."""
    heard = [message for _, message in caller.messages if isinstance(message, TranscriptMessage)]
    transcripts = {message.utterance: message.text for message in heard if message.final}.values()
    turns = [message for _, message in caller.messages if isinstance(message, TurnMessage)]
    return {
        "session": caller.session,
        "transcripts": [text for text in transcripts if text],
        "replies": [turn.heard for turn in turns if turn.heard and turn.reason != "taken_back"],
        "turns": [turn.model_dump(exclude={"type"}) for turn in turns],
        "error": caller.error,
    }


def print_line(who: str, text: str, style: str) -> None:
    console.hang(Text(f"{who:<7}", style=style), text)


def _print_result(result: dict[str, Any], out: Path | None, *, spoken: bool) -> None:
    latency = result["voice_to_voice_ms"]
    if latency is not None:
        said = f"{latency} ms from the end of what you said to the first sound of the answer"
    else:
        said = "no answer came" if spoken else "hung up"
    console.out.print(f"\n{said}")
    if result["session"]:
        print_where_to_look(result["session"], out)


def print_where_to_look(session: str, out: Path | None = None) -> None:
    if out:
        console.out.print(f"recording: {out} (left you, right the agent)", soft_wrap=True)
    console.out.print(f"look inside: {console.me()} show {session}", soft_wrap=True)
