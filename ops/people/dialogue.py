"""A conversation as lines on a terminal, from the messages the gateway sends."""

from collections.abc import Callable

from schemas.client import (
    ErrorMessage,
    ReadyMessage,
    SentenceMessage,
    ToClient,
    TranscriptMessage,
    TurnMessage,
)

_NO_ANSWER = {
    "filler": "that was no answer, but to bridge the wait for it",
    "fallback": "that was no answer, but an apology for none",
    "repeat": "that was no answer, but to have it said again",
}


class Dialogue:
    """`say(who, text, style)` prints a line; `caller`: what the caller is called. What the caller said stands there once it is
    final: until then more may be heard of it."""

    def __init__(self, say: Callable[[str, str, str], None], caller: str):
        self._say, self._caller = say, caller

    def message(self, message: ToClient) -> None:
        match message:
            case ReadyMessage(session=session, resumed=resumed):
                self._say("", "the line was lost, and is there again" if resumed else f"session {session}", "dim")
                for warning in message.warnings:
                    self._say("look", warning, "yellow")
            case TranscriptMessage(final=True, text=text):
                self._say(self._caller, text, "cyan")
            case SentenceMessage(text=text, spoken=spoken):
                self._say("agent", text if spoken else f"{text} (as text: its sound could not be made)", "green")
            case TurnMessage(how="interrupted", heard=heard):
                had = f"“{heard}”" if heard else "nothing yet"
                self._say("", f"interrupted; heard so far: {had}", "yellow")
            case TurnMessage(reason="taken_back"):
                self._say("", "begun anew: the caller went on", "dim")
            case TurnMessage(why="filler" | "fallback" | "repeat" as why, heard=heard) if heard:
                self._say("", _NO_ANSWER[why], "dim")
            case ErrorMessage(message=text):
                self._say("error", text, "red")
            case _:
                pass
