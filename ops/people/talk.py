"""A conversation of one's own, in the terminal: spoken, or typed. What `antiphon talk` does."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from ops import console
from ops.people.audio import look_where_to_write, write_stereo
from ops.people.call import hanging_up, print_line, print_where_to_look, refuse, summary, until_quiet
from ops.people.caller import Caller
from ops.people.dialogue import Dialogue
from ops.people.entry import client_token, gateway_url
from ops.people.person import FRAME, CallError
from ops.people.said import Said, latency, meter
from ops.people.sound_card import NoSound, SoundCard, sound_card
from ops.stack.here import running
from schemas.access.tokens import Grant
from schemas.audio import Pcm
from schemas.client import MetricsMessage, PlayedMessage, Rate, ToClient, TurnMessage, TypedMessage
from schemas.text.clean import printable

_RATE: Rate = 24_000
_TELL_EVERY = 0.25  # seconds: how far the loudspeaker is
_LOOK_EVERY = 0.1  # seconds: whether a lost line is there again
_ANSWER_WITHIN = 60.0  # seconds a line of a script waits for its answer


@dataclass(frozen=True, slots=True)
class Options:
    """`text`: typed, without any sound; `half_duplex`: the microphone is closed while the agent speaks; `json`: one object at the
    end, and nothing before."""

    url: str | None
    agent: str
    token: str
    out: Path | None
    text: bool
    half_duplex: bool
    json: bool = False


class Speaker(Caller):
    """A caller whose mouth is a microphone and whose ear is a loudspeaker."""

    def __init__(self, card: SoundCard, half_duplex: bool, url: str, agent: str, token: str) -> None:
        super().__init__(url, rate=_RATE, agent=agent, token=token)
        self.card, self._half_duplex = card, half_duplex

    def _next_frame(self) -> tuple[Pcm, bool]:
        frame = self.card.microphone.take(FRAME)
        if self._half_duplex and self.card.loudspeaker.waiting:
            frame = frame * 0
        return frame, False

    def _hear(self, pcm: Pcm, now: float) -> None:
        super()._hear(pcm, now)
        self.card.loudspeaker.put(pcm)

    def _forget_unplayed(self, now: float) -> None:
        super()._forget_unplayed(now)
        self.card.loudspeaker.clear()

    async def tell_position(self) -> None:
        """How much has sounded, while it changes."""
        told = 0
        while not self.ended.is_set():
            if self.connected and (position := self.card.loudspeaker.position) != told:
                with contextlib.suppress(ConnectionError):  # the line was lost just now
                    await self.send(PlayedMessage(type="played", samples=position))
                    told = position
            await asyncio.sleep(_TELL_EVERY)


async def talk(options: Options) -> None:
    """Until the session ends, the lines do, or Ctrl-C. Where there is no sound: one sentence, the web address, and exit."""
    if options.out is not None:
        look_where_to_write(options.out)
    url, token = gateway_url(options.url), client_token(options.token, Grant(agent=options.agent))
    with ExitStack() as open_here:
        if options.text:
            caller = Caller(url, rate=_RATE, agent=options.agent, token=token)
        else:
            try:
                card = open_here.enter_context(sound_card(_RATE))
            except NoSound as error:
                console.fail(f"{error}; {_instead()}", console.UNREACHABLE)
            caller = Speaker(card, options.half_duplex, url, options.agent, token)
        try:
            await _converse(caller, options)
        except CallError as error:
            refuse(error, options.agent)
        finally:
            await caller.aclose()
            if options.out is not None and caller.session:
                await asyncio.to_thread(write_stereo, options.out, *caller.recording(), caller.rate)
    if options.json:
        console.emit(summary(caller))
    else:
        print_where_to_look(caller.session, options.out)


def _instead() -> str:
    """How to talk all the same."""
    page = (running() or {}).get("api_url")
    web = f"talk in a browser: {page}" if page else "talk in a browser (antiphon up prints the address)"
    return f"{web}, or type: {console.me()} talk --text"


async def _converse(caller: Caller, options: Options) -> None:
    said = Said()
    if options.text and not options.json:
        caller.on_message = Written().message
    elif not options.json:
        caller.on_message = lambda message: _print(said, message)
    with hanging_up() as hung_up:
        await caller.connect()
        if not options.json:
            print_line("", _HINT_TEXT if options.text else _HINT, "dim")
        running_now = [asyncio.ensure_future(hung_up.wait()), asyncio.ensure_future(caller.keep())]
        if options.text:
            running_now.append(asyncio.ensure_future(_type(caller, None if options.json else print_line)))
        elif isinstance(caller, Speaker):
            running_now.append(asyncio.ensure_future(caller.tell_position()))
        try:
            with _status(caller, said, shows=not (options.text or options.json)):
                done, _ = await asyncio.wait(running_now, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in running_now:
                task.cancel()
            await asyncio.gather(*running_now, return_exceptions=True)
    await caller.hang_up()
    for line in said.end():
        print_line(*line)


_HINT = "speak; Ctrl-C hangs up. Wear headphones, or give --half-duplex: a microphone beside a loudspeaker hears the agent, too"
_HINT_TEXT = "type a line and press Enter; Ctrl-D or Ctrl-C hangs up"


class Written:
    """Of a conversation that is read: each sentence as it begins to sound, and how long it took once it is over."""

    def __init__(self) -> None:
        self._dialogue = Dialogue(print_line, "you")
        self._latency: MetricsMessage | None = None

    def message(self, message: ToClient) -> None:
        self._dialogue.message(message)
        if isinstance(message, MetricsMessage):
            self._latency = message
        elif isinstance(message, TurnMessage) and self._latency is not None:
            for line in latency(self._latency):
                print_line(*line)
            self._latency = None


def _print(said: Said, message: ToClient) -> None:
    for line in said.message(message):
        print_line(*line)


def _status(caller: Caller, said: Said, *, shows: bool) -> AbstractContextManager[object]:
    """One changing line below what was said: how loud the microphone is, and the words as they are said."""

    def line() -> RenderableType:
        if isinstance(caller, Speaker):
            position: float = caller.card.loudspeaker.position
            level = meter(caller.card.level) + " "
        else:  # as if it sounded
            position = _sounded(caller)
            level = ""
        who, words = said.now(position)
        shown = Text(f"{level}{said.state:<9} {who and f'{who}: '}", style="dim")
        spoken = Text(printable(words), style="green" if who == "agent" else "cyan")
        room = console.out.width - shown.cell_len - 1
        if spoken.cell_len > room:  # the newest words are the ones to see
            spoken = Text("…") + spoken[max(0, spoken.cell_len - room + 1) :]
        return shown.append_text(spoken)

    if not (shows and console.out.is_terminal):
        return nullcontext()
    return Live(get_renderable=line, console=console.out, refresh_per_second=12, transient=True)


def _sounded(caller: Caller) -> int:
    total = sum(len(sound.pcm) for sound in caller.heard)
    return total - round(max(0.0, caller.silent_at - time.monotonic()) * caller.rate)


# ── typing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _type(caller: Caller, shown: Callable[[str, str, str], None] | None) -> None:
    """Each line is said as it comes; those of a pipe or a file one after another, each answered before the next, and `shown`."""
    by_hand = sys.stdin.isatty()
    await caller.hear_greeting()
    async with typed_lines(sys.stdin.fileno()) as lines:
        async for line in lines:
            if not line.strip():
                continue
            if not by_hand and shown is not None:
                shown("you", line.strip(), "cyan")
            sent = time.monotonic()
            await _say(caller, line.strip())
            if not by_hand:
                over = await caller.wait_for(TurnMessage, _ANSWER_WITHIN, sent, lambda turn: turn.why == "text")
                if over is not None and over.how not in ("played", "interrupted"):
                    await until_quiet(caller, sent, _ANSWER_WITHIN)  # an apology follows


async def _say(caller: Caller, text: str) -> None:
    """At once, or as soon as a line that was lost is there again."""
    while True:
        if caller.connected:
            with contextlib.suppress(ConnectionError):  # it was lost just now
                await caller.send(TypedMessage(type="message", text=text))
                return
        await asyncio.sleep(_LOOK_EVERY)


@asynccontextmanager
async def typed_lines(descriptor: int) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a terminal, a pipe or a file, as they come, to its end."""
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        chunk = os.read(descriptor, 65_536)
        chunks.put_nowait(chunk)
        if not chunk:
            loop.remove_reader(descriptor)

    forget: Callable[[], object] = lambda: loop.remove_reader(descriptor)  # noqa: E731
    try:
        loop.add_reader(descriptor, read)
    except OSError:  # a file: it is all there
        forget = lambda: None  # noqa: E731
        while chunk := os.read(descriptor, 65_536):
            chunks.put_nowait(chunk)
        chunks.put_nowait(b"")
    try:
        yield _lines(chunks)
    finally:
        forget()


async def _lines(chunks: "asyncio.Queue[bytes]") -> AsyncIterator[str]:
    rest = b""
    while chunk := await chunks.get():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")
