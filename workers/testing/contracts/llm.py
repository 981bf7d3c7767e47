"""What every LLM provider promises. A provider's tests inherit `LlmContract` and give a `provider` fixture."""

import asyncio
from collections.abc import Sequence

import pytest

from workers.providers import ChatRequest, Delta, Llm

__all__ = ["QUESTION", "LlmContract", "read", "text_of"]

QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one short sentence."}]


async def read(provider: Llm, request: ChatRequest) -> list[Delta]:
    """The whole answer."""
    return [delta async for delta in provider.stream(request)]


def text_of(deltas: Sequence[Delta]) -> str:
    """What is said."""
    return "".join(delta.text for delta in deltas)


@pytest.mark.asyncio
class LlmContract:
    """`prefills`: whether the provider, once it is warm, continues a reply it is given the beginning of."""

    prefills = True

    @pytest.fixture
    def provider(self) -> Llm:
        raise NotImplementedError("give a fixture `provider`: your provider")

    async def test_warm_up_then_stream(self, provider: Llm) -> None:
        """After warm-up a reply streams in several pieces, finishes once, and says what it used."""
        await provider.warm_up()
        deltas = await read(provider, ChatRequest(QUESTION, max_tokens=30, seed=7))
        assert len([delta for delta in deltas if delta.text]) > 1
        assert [delta.finish for delta in deltas if delta.finish] in (["stop"], ["length"])
        assert any(delta.usage and delta.usage.completion_tokens > 0 for delta in deltas)

    async def test_same_seed_same_reply(self, provider: Llm) -> None:
        """The same request with the same seed begins with the same words."""
        request = ChatRequest(QUESTION, max_tokens=20, seed=7, temperature=0.7)
        assert text_of(await read(provider, request)) == text_of(await read(provider, request))

    async def test_prefill_goes_on(self, provider: Llm) -> None:
        """A provider that says so, once it is warm, answers what follows the given beginning, without repeating it."""
        await provider.warm_up()
        assert provider.prefills is self.prefills
        if not self.prefills:
            return  # the stage asks for the whole reply again
        whole = text_of(await read(provider, ChatRequest(QUESTION, max_tokens=40, temperature=0.0, seed=7)))
        words = whole.split(" ")
        begun = " ".join(words[: len(words) // 2])
        request = ChatRequest(QUESTION, max_tokens=40, temperature=0.0, seed=7, prefill=begun)
        rest = text_of(await read(provider, request))
        assert not rest.strip().startswith(begun)
        assert (begun + rest).split() == whole.split()

    async def test_leaving_a_stream_leaves_nothing_behind(self, provider: Llm) -> None:
        """A stream left after its first piece is closed, and the next request is answered."""
        stream = provider.stream(ChatRequest(QUESTION, max_tokens=200, seed=7))
        await anext(stream)
        await stream.aclose()
        async with asyncio.timeout(20):
            assert await read(provider, ChatRequest(QUESTION, max_tokens=5))
