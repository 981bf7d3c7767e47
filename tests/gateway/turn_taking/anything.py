"""What people, clients, stages and the log do, in whatever order, played in a call."""

from gateway.inputs import Attached, Detached, Digits, Joined, Left, PushToTalk, Typed
from gateway.turn_taking import Queues, Tone
from schemas.bus import Outcome
from schemas.config.agent import Limits
from schemas.events import EndRequested, MessageReceived, SayRequested
from tests.gateway.turn_taking.call import Call

__all__ = ["SHORT", "TEXTS", "WHO", "play"]

TEXTS = (
    "What is the weather?",
    "mhm",
    "",
    "Stop, I said Paris, not London please.",
    "Yes.",
    "and then",
    "um",
    "Hey pizza, what is left?",
    "Leave a message.",
)
WHO = ("alice", "bob")
SHORT = Limits(stt_deadline=2.0, llm_deadline=2.0, tts_deadline=2.0, turn=8.0, client_gone=6.0)


def play(call: Call, happenings: list[tuple], people: int) -> None:  # type: ignore[type-arg]
    for kind, at, *rest in happenings:
        match kind:
            case "speech":
                if rest[-1] in WHO[:people]:
                    speak(call, at, *rest)
            case "goes on":  # somebody does, when the agent has hardly begun to answer
                after, length, text, who = rest
                said = (length, text, who if who in WHO[:people] else WHO[0])
                speak(call, at, 0.6, TEXTS[0], said[-1])
                call.at(at, lambda after=after, said=said: goes_on(call, after, said))
            case "noise":
                if rest[0] in WHO[:people]:
                    call.noise(at, rest[0])
            case "typed":
                call.gives(at, Typed("alice", "And in writing?"))
            case "posted":
                call.at(at, lambda: call.append(MessageReceived(participant="api", text="By the API.")))
            case "say":
                how = {"interrupt": rest[0], "interruptible": rest[1:] != [False]}
                call.at(at, lambda how=how: call.append(SayRequested(text="A word from our sponsor.", **how)))
            case "button":
                call.gives(at, PushToTalk("alice", True))
                call.gives(at + rest[0], PushToTalk("alice", False, cancel=rest[1:] == [True]))
            case "tone":
                call.gives(at, Tone("alice", 1000.0, 0.4))
            case "away":
                call.gives(at, Detached())
                call.gives(at + rest[0], Attached())
            case "left":
                call.gives(at, Left("bob"))
                call.gives(at + rest[0], Joined("bob"))
            case "digits":
                call.gives(at, Digits("alice", "42"))
            case "load":
                call.gives(at, Queues(rest[0], rest[0], rest[0]))
            case "end":
                call.at(at, lambda: call.append(EndRequested()))
            case "takeover":
                call.at(at, lambda: None if call.state.closed else call.take_over())
            case "rewind":
                size = rest[0]
                call.at(at, lambda n=size: call.lose_tail(n))
            case "full":
                call.at(at, lambda: call.outcomes.append(Outcome.FULL))


def speak(call: Call, at: float, length: float, text: str, who: str) -> None:
    """Unless they speak then, or are about to."""
    began = call.began + at
    if not any(s.who == who and s.at - 0.3 < began + length and began < s.end + 0.3 for s in call.speeches):
        whole = (None, 0.01, 0.6)[round(at * 10) % 3]
        call.says(at, length, text, who=who, end_of_turn=0.9 if length < 1 else None, complete=whole)


def goes_on(call: Call, after: float, said: tuple[float, str, str]) -> None:
    """So long after the next reply begins to sound."""

    def speaks() -> None:
        turn = call.state.turns.get(call.sounding[0]) if call.sounding else None
        if turn is None or turn.own is not None:
            call.as_it_sounds.append(speaks)
        else:
            speak(call, call.now - call.began + after, *said)

    call.as_it_sounds.append(speaks)
