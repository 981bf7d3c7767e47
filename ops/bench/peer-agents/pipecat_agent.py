"""Pipecat's agent of `bench peers`: its defaults (Silero, smart-turn), our models behind the OpenAI protocol, a LiveKit room.

Runs in the peers' own environment. Reads a room a line from stdin, `{"room", "url", "token"}`, and holds a call in each; writes
what it takes for turns to PEER_LOG, `{"at", "said"}` and `{"at", "speaks"}`, a line each. One call at a time.
"""

import asyncio
import json
import os
import sys
import time

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import BotStartedSpeakingFrame
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.openai.stt import OpenAISTTService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.transports.livekit.transport import LiveKitParams, LiveKitTransport
from pipecat.workers.runner import WorkerRunner

LLM, SPEECH, INSTRUCTIONS = os.environ["PEER_LLM"], os.environ["PEER_SPEECH"], os.environ["PEER_INSTRUCTIONS"]
HEARD_WITHIN = 0.5
"""Seconds in which our transcripts are there, nearly always: Pipecat waits for them so long, and what it takes for this service
is meant for one far away."""


def tell(**what: object) -> None:
    with open(os.environ["PEER_LOG"], "a") as log:
        log.write(json.dumps({"at": time.time(), **what}) + "\n")


class Speaks(BaseObserver):
    """When the agent begins to. The frame goes both ways."""

    async def on_push_frame(self, data: FramePushed) -> None:
        downwards = data.direction == FrameDirection.DOWNSTREAM
        if isinstance(data.frame, BotStartedSpeakingFrame) and data.first_push and downwards:
            tell(speaks=True)


async def call(url: str, token: str, room: str) -> None:
    transport = LiveKitTransport(url, token, room, LiveKitParams(audio_in_enabled=True, audio_out_enabled=True))
    stt = OpenAISTTService(
        api_key="none",
        base_url=SPEECH,
        ttfs_p99_latency=HEARD_WITHIN,
        settings=OpenAISTTService.Settings(model="whisper-1"),
    )
    llm = OpenAILLMService(
        api_key="none", base_url=LLM,
        settings=OpenAILLMService.Settings(
            model=os.environ["PEER_MODEL"], system_instruction=INSTRUCTIONS, temperature=0.7, max_tokens=200, seed=7
        ),
    )  # fmt: skip
    tts = OpenAITTSService(
        api_key="none", base_url=SPEECH, settings=OpenAITTSService.Settings(model="tts-1", voice="alloy")
    )
    aggregators = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )

    @aggregators.user().event_handler("on_user_turn_stopped")
    async def stopped(aggregator: object, strategy: object, message: object) -> None:
        tell(said=getattr(message, "content", "") or "")

    pipeline = Pipeline([
        transport.input(), stt, aggregators.user(), llm, tts, transport.output(), aggregators.assistant(),
    ])  # fmt: skip
    worker = PipelineWorker(
        pipeline, params=PipelineParams(audio_in_sample_rate=16_000, audio_out_sample_rate=24_000), observers=[Speaks()]
    )

    @transport.event_handler("on_participant_left")
    async def left(transport: object, participant: object, reason: object) -> None:
        await worker.cancel()

    @transport.event_handler("on_participant_disconnected")
    async def gone(transport: object, participant: object) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


async def main() -> None:
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked = json.loads(line)
        await call(asked["url"], asked["token"], asked["room"])


if __name__ == "__main__":
    asyncio.run(main())
