"""What endpoints of public model servers do in their own way, by name: each quirk is the answer to a request of chat."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Step = bytes | float | Literal["break", "hang"]
"""Bytes are sent, numbers waited for (seconds); `break` drops the connection, `hang` waits until the client has gone."""

REPLY = "Paris is the capital of France. It lies on the Seine."
SENTENCES = ["Paris is the capital of France.", "It lies on the Seine."]
_PIECES = ["Paris is the", " capital of", " France.", " It lies on", " the Seine."]
CHECKING = "Let me check that for you."


@dataclass(frozen=True, slots=True)
class Answer:
    steps: list[Step] = field(default_factory=list)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = True
    """Else the body ends with the connection."""
    kind: str = "text/event-stream"
    raw: bool = False
    """The steps are all that is sent, no HTTP around them."""


Quirk = Callable[[dict[str, Any], int], Answer]
"""Given the request's body and how many came before it."""


# ── parts of a stream ────────────────────────────────────────────────────────────────────────────────────────────────


def event(value: Any) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def delta(fields: Mapping[str, Any] | None, finish: Any = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": fields, "finish_reason": finish}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    return event(head | {"choices": [choice]} | more)


DONE = b"data: [DONE]\n\n"
STOP = delta({}, "stop")


def said(*texts: str) -> list[Step]:
    return [delta({"content": text}) for text in texts]


def whole(*texts: str) -> Answer:
    return Answer([*said(*(texts or _PIECES)), STOP, DONE])


def fixed(answer: Answer) -> Quirk:
    return lambda _body, _number: answer


def ended(*steps: Step) -> Quirk:
    """These, then a proper end."""
    return fixed(Answer([*steps, STOP, DONE]))


def json_body(value: Any, status: int = 200) -> Quirk:
    return fixed(Answer([json.dumps(value, indent=2).encode()], status, kind="application/json"))


def usage(value: Any) -> Answer:
    return Answer([*said(*_PIECES), STOP, event({"choices": [], "usage": value}), DONE])


def refused(status: int, message: str, code: str = "", **headers: str) -> Answer:
    error = {"error": {"message": message, "type": code or "x", "code": code or None}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer([json.dumps(error).encode()], status, named, kind="application/json")


def page(status: int = 200) -> Answer:
    return Answer([b"<!DOCTYPE html><html><body>Welcome to nginx</body></html>"], status, kind="text/html")


# ── quirks that depend on the request ────────────────────────────────────────────────────────────────────────────────


def _letters(body: Mapping[str, Any]) -> int:
    return sum(len(str(message.get("content"))) for message in body["messages"])


def context_of(characters: int, refuse: Answer) -> Quirk:
    """A model whose context holds so many characters."""
    return lambda body, _number: refuse if _letters(body) > characters else whole()


def _tool_then_words(before: str) -> Quirk:
    call = delta({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "search", "arguments": "{}"}}]})
    called = Answer([*said(*([before] if before else [])), call, delta({}, "tool_calls"), DONE])
    return lambda _body, number: called if number == 0 else whole()


def _always_tool(_body: dict[str, Any], _number: int) -> Answer:
    return (
        Answer([*said(CHECKING), delta({}, "tool_calls"), DONE])
        if _number == 0
        else Answer([delta({}, "tool_calls"), DONE])
    )


def _breaks_then(rest: Callable[[dict[str, Any]], Answer]) -> Quirk:
    """The first answer breaks off behind a whole sentence; `rest` is what the next request gets."""
    broken = Answer([*said(*_PIECES[:3], " It l"), 0.05, "break"])
    return lambda body, number: broken if number == 0 else rest(body)


def prefilled(body: Mapping[str, Any]) -> bool:
    return bool(body["messages"]) and body["messages"][-1]["role"] == "assistant"


def _refuses(name: str) -> Quirk:
    answer = refused(400, f"Unsupported parameter: '{name}' is not supported with this model.", "unsupported_parameter")
    return lambda body, _number: answer if name in body else whole()


def _thinks(text: str) -> Quirk:
    return fixed(whole(*(text[at : at + 3] for at in range(0, len(text), 3))))


def once(first: Answer, then: Answer | None = None) -> Quirk:
    return lambda _body, number: first if number == 0 else then or whole()


_UNSEEN: list[Step] = [
    b"retry: 3000\n\n",
    b": ping\n\n",
    b"event: ping\n\n",
    b"data:\n\n",
    b"id: 4\n\n",
    b"event: x\ndata: \n\n",
]


def _odd_frame(text: str) -> bytes:
    """Lines end in CRLF, no blank behind the colon, the data on two lines."""
    data = delta({"content": text})[6:-2].replace(b', "object"', b',\r\ndata: "object"')
    return b"id: 7\r\ndata:" + data + b"\r\n\r\n"


_ODD_FRAMES = b"\xef\xbb\xbf" + b"".join(_odd_frame(text) for text in _PIECES)
_BYTES = b"".join([*(delta({"content": text}) for text in _PIECES), STOP, DONE])
_PARTS = [
    {"type": "text", "text": "Paris is the capital"},
    {"type": "image_url"},
    {"type": "text", "text": " of France. "},
]
_THINKING = [{"type": "thinking", "thinking": [{"type": "text", "text": "They ask."}]}]
_NULLS: list[Step] = [
    event({"choices": None}), event({"choices": []}), event({"id": None}), event([]), event("hello"),
    delta(None), delta({"content": None, "role": "assistant"}), event({"choices": [None]}), b"data: not json\n\n",
]  # fmt: skip
_MESSAGE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": REPLY}, "finish_reason": "stop"}]}
_HM: list[Step] = [delta({"reasoning_content": "Hm. "})]
_PING: list[Step] = [b": PROCESSING\n\n"]
_NO_QUOTA = "You exceeded your current quota, please check your plan and billing details."


def _breaks(*texts: str) -> Answer:
    return Answer([*said(*texts), 0.05, "break"])


def _no_prefill(body: dict[str, Any], number: int) -> Answer:
    if number == 0:
        return _breaks(*_PIECES[:3], " It")
    return refused(400, "Expected last role User or Tool but got assistant") if prefilled(body) else whole()


def _goes_on(with_: str) -> Quirk:
    return _breaks_then(lambda body: whole(with_) if prefilled(body) else whole())


QUIRKS: dict[str, Quirk] = {
    "": fixed(whole()),
    # how a stream ends
    "no finish": fixed(Answer([*said(*_PIECES), DONE])),
    "no done": fixed(Answer([*said(*_PIECES), STOP])),
    "neither": fixed(Answer(said(*_PIECES))),
    "neither, closed": fixed(Answer(said(*_PIECES), chunked=False)),
    "finish, then nothing": fixed(Answer([*said(*_PIECES), STOP, "hang"])),
    "finish again and again": ended(*said(*_PIECES), STOP, STOP),
    "empty finish": ended(*(delta({"content": text}, "") for text in _PIECES)),
    "finish in capitals": fixed(Answer([*said(*_PIECES), delta({}, "STOP"), DONE])),
    "last line open": fixed(Answer([*said(*_PIECES), STOP.rstrip()])),
    # tools nobody has
    "tool": _tool_then_words(""),
    "text and tool": _tool_then_words(CHECKING),
    "always a tool": _always_tool,
    "tool, finish stop": once(Answer([delta({"tool_calls": [{"index": 0, "function": {"name": "f"}}]}), STOP, DONE])),
    "tool in the text": once(whole('<tool_call>{"name": "search"}</tool_call>')),
    # frames
    "unseen events": ended(*_UNSEEN, *said(*_PIECES[:2]), *_UNSEEN, *said(*_PIECES[2:]), *_UNSEEN),
    "odd frames": ended(_ODD_FRAMES),
    "byte by byte": fixed(Answer([bytes([byte]) for byte in _BYTES])),
    "carriage returns": fixed(Answer([_BYTES.replace(b"\n", b"\r")])),
    "plain text type": fixed(Answer([_BYTES], kind="text/plain; charset=latin-1")),
    "one json": json_body(_MESSAGE),
    "json lines": fixed(Answer([_BYTES.replace(b"data: ", b"").replace(b"[DONE]", b"")], kind="application/x-ndjson")),
    # reasoning
    "think": _thinks(f"<think>They ask. I know. Well.</think>\n\n{REPLY}"),
    "thinking": _thinks(f"<Thinking>\nThey ask. I know. Well.\n</THINKING>{REPLY}"),
    "reasoning": _thinks(f"<reasoning>They ask. I know. Well.</reasoning> {REPLY}"),
    "think in the middle": _thinks(f"{SENTENCES[0]} <think>Shall I say more? Yes.</think>{SENTENCES[1]}"),
    "unopened think": _thinks(f"Okay, they ask</think>{REPLY}"),
    "unopened think of sentences": _thinks(f"Okay. They ask about France. I know that one.</think>{REPLY}"),
    "channels": _thinks(f"<|channel|>analysis<|message|>They ask.<|end|><|channel|>final<|message|>{REPLY}<|return|>"),
    "reasoning_content": ended(*_HM, delta({"reasoning": "Well. ", "content": ""}), *said(*_PIECES)),
    "thinking parts": ended(delta({"content": _THINKING}), *said(*_PIECES)),
    "only reasoning": once(Answer([*_HM, delta({}, "length"), DONE])),
    "long reasoning": ended(*([0.1, *_HM] * 8), *said(*_PIECES)),
    "long pings": ended(*([0.1, *_PING] * 8), *said(*_PIECES)),
    # counts
    "usage null": fixed(usage(None)),
    "usage of nulls": fixed(usage({"prompt_tokens": None, "completion_tokens": None, "total_tokens": None})),
    "usage without": fixed(usage({})),
    "usage odd": fixed(usage({"prompt_tokens": "12", "completion_tokens": 7.0, "total_tokens": True})),
    "usage absurd": fixed(usage({"prompt_tokens": -3, "completion_tokens": "many", "prompt_tokens_details": []})),
    "usage everywhere": ended(
        *(delta({"content": t}, usage={"prompt_tokens": 9, "completion_tokens": n}) for n, t in enumerate(_PIECES))
    ),
    # content
    "parts": ended(delta({"content": _PARTS}), *said("It lies on the Seine.")),
    "half characters": ended(
        *said("Paris \ud83d", "\ude00 is the capital \ud83d", "of France. ", "It lies on the Seine.")
    ),
    "nulls": ended(*_NULLS, *said(*_PIECES), *_NULLS),
    "refusal": ended(delta({"refusal": "I can't help", "content": None}), delta({"refusal": " with that."})),
    "messages": ended(*(event({"choices": [{"message": {"content": text}}]}) for text in _PIECES)),
    # what breaks
    "breaks, starts anew": _breaks_then(lambda _: whole()),
    "breaks, goes on": _goes_on(" It lies on the Seine."),
    "breaks, repeats the last": _goes_on(f"{SENTENCES[0]} It lies on the Seine."),
    "breaks behind the last": once(_breaks(*_PIECES)),
    "refuses prefill": _no_prefill,
    "error behind a sentence": once(
        Answer([*said(SENTENCES[0]), event({"error": {"message": "overloaded", "code": 503}})])
    ),
    "filter": fixed(Answer([*said(*_PIECES[:3], " It lies"), delta({}, "content_filter"), DONE])),
    "filter at once": fixed(Answer([delta({}, "content_filter"), DONE])),
    "endless": fixed(Answer([*said("Round and round it goes. "), 0.0] * 4000)),
    "endless pings": fixed(Answer([*_PING, 0.05] * 400)),
    # refusals
    "quota": fixed(refused(429, _NO_QUOTA, "insufficient_quota")),
    "payment": fixed(refused(402, "Insufficient Balance")),
    "busy for a second": once(refused(429, "Rate limit reached", "rate_limit_exceeded", retry_after="1")),
    "busy for ms": once(refused(503, "Loading", retry_after_ms="150")),
    "no seed": _refuses("seed"),
    "no stream_options": _refuses("stream_options"),
    "no max_tokens": _refuses("max_tokens"),
    "no user": _refuses("user"),
    # no chat endpoint at all
    "page": fixed(page()),
    "page not found": fixed(page(404)),
    "gateway page": fixed(page(502)),
    "hang": fixed(Answer(["hang"], raw=True)),
    "silent stream": fixed(Answer(["hang"])),
    "half": fixed(Answer([*said(_PIECES[0]), "break"])),
    "stall": fixed(Answer([*said(_PIECES[0]), "hang"])),
    "empty body": fixed(Answer([])),
    "empty": ended(),
    "only done": fixed(Answer([DONE])),
    "other json": json_body({"hello": "world"}),
    "error in 200": json_body({"error": {"message": "model not loaded", "code": "model_not_found"}}),
    "moved": fixed(Answer([], 301, {"location": "https://elsewhere.example/v1/chat/completions"})),
    "redirected for ever": fixed(Answer([], 307, {"location": "/v1/chat/completions"})),
    "garbage": fixed(Answer([bytes(range(128, 256)) * 4], kind="application/octet-stream")),
    "no http": fixed(Answer([b"220 mail.example ESMTP\r\n\r\n", 0.05], raw=True)),
    "hangs up": fixed(Answer(["break"], raw=True)),
    "endless noise": fixed(Answer([b"\1\2" * 600, 0.02] * 3000, kind="application/octet-stream")),
    "bad gzip": fixed(Answer([b"nothing zipped"], headers={"content-encoding": "gzip"})),
    "an error without end": fixed(Answer([*([b"x" * 4096] * 500), "hang"], 500, kind="text/plain")),
    "one line without end": fixed(Answer([b"data: ", *([b"x" * 65_536] * 200), "hang"])),
}
"""By name; "" is an endpoint as it should be. Most answer with REPLY."""

MODELS: dict[str, Any] = {
    "": {"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "t"}]},
    "names": ["m", "n"],
    "ollama": {"models": [{"name": "m:latest", "model": "m:latest"}]},
    "nulls": {"data": [None, {"id": None}, {"id": 4}, "m"], "object": 3},
    "no list": {"data": "none", "models": None},
    "a text": "m",
    "nested": {"data": {"m": {}}},
}
"""Lists of models, in whichever shape."""
