"""More of what endpoints do: whole families of models and gateways, each with the reply the caller hears, once."""

from collections.abc import Callable

import pytest

from schemas.config.agent import AgentSpec, LlmSpec
from schemas.config.settings import Settings
from tests.quirks import (
    DONE,
    REPLY,
    SENTENCES,
    STOP,
    Answer,
    Quirk,
    delta,
    event,
    fixed,
    json_body,
    once,
    refused,
    said,
    whole,
)
from tests.servers import Misbehaving
from tests.workers.llm.test_quirks import heard, with_quirk
from workers.llm import LlmStage
from workers.llm._reasoning import Hidden
from workers.llm.openai import OpenAiLlm

__all__ = ["with_quirk"]

PIECES = [REPLY[at : at + 4] for at in range(0, len(REPLY), 4)]
MESSAGE = {"role": "assistant", "content": REPLY}

MARKED = {
    "harmony": "<|channel|>analysis<|message|>They ask. So.<|end|><|start|>assistant<|channel|>final<|message|>{}<|return|>",
    "harmony from its start": "<|start|>assistant<|channel|>final <|constrain|>text<|message|>{}<|return|>",
    "a chat template's role": "<|im_start|>assistant\n{}<|im_end|>",
    "a header": "<|start_header_id|>assistant<|end_header_id|>\n\n{}<|eot_id|>",
    "Gemma's turn": "<start_of_turn>model\n{}<end_of_turn>",
    "talks on for the user": "{}<|im_end|>\n<|im_start|>user\nAnd Berlin?<|im_end|>",
    "talks on, Llama": "{}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd Berlin?",
    "talks on, Gemma": "{}<end_of_turn>\n<start_of_turn>user\nAnd Berlin?",
    "talks on, Mistral": "{}</s>[INST] And Berlin? [/INST]",
    "answer tags": "<think>They ask. So.</think><answer>{}</answer>",
    "ERNIE": "<think>They ask. So.</think>\n<response>\n{}\n</response>\n",
    "Apriel": "They ask so\n[BEGIN FINAL RESPONSE]\n{}\n[END FINAL RESPONSE]",
    "struck through": "{} <s></s>",
}
CALLS = {
    "Llama": '<|python_tag|>{"name": "search", "parameters": {"city": "Paris"}}<|eom_id|>',
    "Llama, bare": '{"name": "search", "parameters": {"city": "Paris"}}',
    "a list": '[{"name": "search", "arguments": {"city": "Paris"}}]',
    "a fence": '```json\n{"name": "search", "arguments": {"city": "Paris"}}\n```',
    "Gemma": '```tool_code\nsearch(city="Paris")\n```',
    "Qwen coder": "<function=search>\n<parameter=city>\nParis\n</parameter>\n</function>",
    "MiniMax": '<minimax:tool_call><invoke name="search"></invoke></minimax:tool_call>',
    "harmony": '<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}<|call|>',
    "harmony, to whom first": '<|start|>assistant to=functions.f<|channel|>commentary<|message|>{"a": 1}<|call|>',
    "Command R": '<|START_ACTION|>[{"tool_name": "search", "parameters": {}}]<|END_ACTION|>',
    "InternLM": '<|action_start|><|plugin|>{"name": "search", "parameters": {}}<|action_end|>',
}
PLAIN = [
    "Use <s>old</s> new. <function> is a tag, f(x) a function.",
    '{"name": "Bob", "age": 3} is what you asked for.',
    "```python\nprint(1)\n```\nThat was it.",
    "`code` first, [1] a note, 3 < 4 > 2, {x} a set.",
]


def streamed(text: str) -> Answer:
    return whole(*(text[at : at + 4] for at in range(0, len(text), 4)))


def shown(text: str, size: int) -> str:
    hidden, out = Hidden(), ""
    for each in [*(hidden.feed(text[at : at + size]) for at in range(0, len(text), size)), hidden.flush()]:
        out = each.text if each.forget else out + each.text
    return out


@pytest.mark.parametrize("kind", MARKED)
async def test_marks_of_many_models(
    misbehaving: Misbehaving, kind: str, with_quirk: Callable[[str, Quirk], None]
) -> None:
    """Marks of a template, names of who speaks, and what a model says for somebody else are neither said nor kept."""
    with_quirk("marked", fixed(streamed(MARKED[kind].format(REPLY))))
    misbehaving.fault = "marked"
    assert (await heard(misbehaving)).text == REPLY


@pytest.mark.parametrize("size", [1, 2, 5, 7, 1000])
@pytest.mark.parametrize("text", [*(text.format(REPLY) for text in MARKED.values()), *CALLS.values(), *PLAIN])
def test_how_marks_are_chopped_never_shows(text: str, size: int) -> None:
    """A mark torn by the stream is the same mark."""
    assert shown(text, size) == shown(text, 3)


@pytest.mark.parametrize("text", PLAIN[1:])
def test_what_only_looks_like_a_mark_is_said(text: str) -> None:
    """Brackets, JSON and code of a reply are its own."""
    assert shown(text, 3) == text


@pytest.mark.parametrize("kind", CALLS)
async def test_calls_in_the_text(misbehaving: Misbehaving, kind: str, with_quirk: Callable[[str, Quirk], None]) -> None:
    """A call that the endpoint did not recognise is never read aloud; one further request answers."""
    with_quirk("call", once(streamed(CALLS[kind])))
    misbehaving.fault = "call"
    assert (await heard(misbehaving)).text == REPLY
    assert len(misbehaving.bodies) == 2


SHAPES: dict[str, Quirk] = {
    "the message once more": fixed(
        Answer([*said(*PIECES), event({"choices": [{"delta": {}, "message": MESSAGE, "finish_reason": "stop"}]}), DONE])
    ),
    "the completion once more": fixed(
        Answer([*said(*PIECES), event({"choices": [{"message": MESSAGE, "finish_reason": "stop"}]}), DONE])
    ),
    "no empty lines": fixed(Answer([step[:-1] for step in (*said(*PIECES), STOP, DONE) if isinstance(step, bytes)])),
    "data twice": fixed(Answer([b"data: " + step for step in (*said(*PIECES), STOP) if isinstance(step, bytes)])),
    "an error in words": once(Answer([*said(SENTENCES[0] + " "), b"event: error\ndata: internal server error\n\n"])),
    "Gemini's thoughts": fixed(
        Answer(
            [
                delta({"content": "**Asking**\nThey ask. So.", "extra_content": {"google": {"thought": True}}}),
                delta({"content": [{"text": "They ask. So.", "thought": True}]}),
                *said(*PIECES),
                STOP,
            ]
        )
    ),
    "its context is full": lambda body, _: (
        Answer([delta({}, "length"), DONE]) if len(str(body["messages"])) > 1500 else whole()
    ),
    "no system role": lambda body, _: (
        refused(400, "System role not supported") if body["messages"][0]["role"] == "system" else whole()
    ),
    "fields it does not know": lambda body, _: (
        json_body({"detail": [{"type": "extra_forbidden", "loc": ["body", n], "msg": "Extra inputs are not permitted"}]}, 422)(
            body, 0
        )
        if (n := next((name for name in ("seed", "stream_options") if name in body), ""))
        else whole()
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
async def test_shapes(misbehaving: Misbehaving, shape: str, with_quirk: Callable[[str, Quirk], None]) -> None:
    """The reply, once."""
    with_quirk("shape", SHAPES[shape])
    misbehaving.fault = "shape"
    assert (await heard(misbehaving, past=20)).text == REPLY


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens is too large: 8000. This model supports at most 4096 completion tokens, whereas you provided 8000.",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 4096]",
        "`max_tokens` must be less than or equal to `4096`, the maximum value for `max_tokens` is less than the "
        "`context_window` for this model",
        "max_tokens: 8000 > 4096, which is the maximum allowed number of output tokens for claude",
    ],
)
async def test_longer_replies_than_it_gives(
    misbehaving: Misbehaving, words: str, with_quirk: Callable[[str, Quirk], None]
) -> None:
    """A bound on the reply is kept to, and is not taken for a chat that is too long."""
    with_quirk("bound", lambda body, _: refused(400, words) if body.get("max_tokens", 9999) > 4096 else whole())
    misbehaving.fault = "bound"
    reply = await heard(misbehaving, agent=AgentSpec(llm=LlmSpec(max_tokens=8000)))
    assert reply.text == REPLY
    assert misbehaving.bodies[-1]["max_tokens"] == 4096


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("Unrecognized request argument supplied: user", True),
        ("property 'user' is unsupported", True),
        ("user: Extra inputs are not permitted", True),
        ("[{'type': 'extra_forbidden', 'loc': ('body', 'user'), 'msg': 'Extra inputs are not permitted'}]", True),
        ("Conversation roles must alternate user/assistant/user/assistant/...", False),
        ("Input should be 'user' or 'assistant' in messages.0.role", False),
        ("this user may not use the model", False),
    ],
)
async def test_only_the_parameter_user_is_left_out(
    misbehaving: Misbehaving, words: str, meant: bool, with_quirk: Callable[[str, Quirk], None]
) -> None:
    """An endpoint that does not take it is asked without; other complaints with that word cost nobody the session's name."""
    with_quirk("user", lambda body, _: refused(400, words) if "user" in body else whole())
    misbehaving.fault = "user"
    assert bool((await heard(misbehaving)).text) is meant
    assert ("user" not in misbehaving.bodies[-1]) is meant


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (
            "Rate limit reached for gpt-4o-mini on requests per min (RPM): Limit 3, Used 3, Requested 1. Try again in 0.2s. "
            "You can increase your rate limit by adding a payment method at https://platform.openai.com/account/billing.",
            "rate_limit_exceeded",
        ),
        (
            "Rate limit reached on tokens per minute (TPM): Limit 6000. Please try again in 200ms. Need more tokens? Upgrade "
            "today at https://console.groq.com/settings/billing",
            "rate_limit_exceeded",
        ),
        (
            "You exceeded your current quota, please check your plan and billing details. Please retry in 0.3s.",
            "RESOURCE_EXHAUSTED",
        ),
    ],
)
@pytest.mark.parametrize("within", [False, True])
async def test_limits_that_pass_and_speak_of_billing(
    misbehaving: Misbehaving, words: str, code: str, within: bool, with_quirk: Callable[[str, Quirk], None]
) -> None:
    """A rate limit is waited for, whatever its words advertise; an account with nothing left is another thing."""
    told = Answer([event({"error": {"message": words, "code": code}})])
    with_quirk("limit", once(told if within and "Rate" in words else refused(429, words, code)))
    misbehaving.fault = "limit"
    reply = await heard(misbehaving)
    assert (reply.text, len(reply.retries)) == (REPLY, 1)


async def test_a_refused_question_costs_no_memory(
    misbehaving: Misbehaving, with_quirk: Callable[[str, Quirk], None]
) -> None:
    """Asked again with less of the chat in vain, the next question is told all of it; a filter is not asked again at all."""
    settings = Settings(_env_file=None, llm_base_url=misbehaving.url, llm_model="m", llm_prefill="off")  # type: ignore[call-arg]
    provider = OpenAiLlm(settings)
    stage = LlmStage(provider, settings)
    with_quirk("no", fixed(refused(400, "Something is wrong with this request")))
    with_quirk("filter", fixed(refused(400, "Filtered due to the content management policy", "content_filter")))
    misbehaving.fault = "no"
    assert (await heard(misbehaving, past=24, provider=provider, stage=stage)).failed == "bad_request"
    misbehaving.fault = ""
    await heard(misbehaving, past=24, provider=provider, stage=stage)
    assert "Question number 1," in str(misbehaving.bodies[-1]["messages"])
    asked = len(misbehaving.bodies)
    misbehaving.fault = "filter"
    assert (await heard(misbehaving, past=24, provider=provider, stage=stage)).failed == "filter"
    assert len(misbehaving.bodies) == asked + 1
    await provider.aclose()
