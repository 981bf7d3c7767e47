"""Says what it was told."""

from collections.abc import AsyncGenerator

from schemas.events import Usage
from workers.providers import ChatRequest, Delta, Llm


class EchoLlm(Llm):
    model = "echo"

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        words = ["You", "said:", *str(request.messages[-1]["content"]).split()]
        said = words[: request.max_tokens]
        for number, word in enumerate(said):
            yield Delta(f" {word}" if number else word)
        usage = Usage(prompt_tokens=len(request.messages), completion_tokens=len(said))
        yield Delta(finish="stop" if said == words else "length", usage=usage)
