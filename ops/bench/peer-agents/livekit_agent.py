"""LiveKit Agents' agent of `bench peers`: its defaults, our models behind the OpenAI protocol. PEER_TURNS: `detector` (its own,
its default) or `vad`.

Runs in the peers' own environment, as a worker that takes every new room; writes what it takes for turns to PEER_LOG, `{"at",
"said"}` and `{"at", "speaks"}`, a line each.
"""

import json
import os
import time

from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    JobContext,
    cli,
)
from livekit.plugins import openai

LLM, SPEECH = os.environ["PEER_LLM"], os.environ["PEER_SPEECH"]
HOW = {"turn_detection": "vad"} if os.environ["PEER_TURNS"] == "vad" else {}

server = AgentServer(  # it is alone here, on two cores that others may be using
    port=0, host="127.0.0.1", num_idle_processes=1, initialize_process_timeout=60.0, load_fnc=lambda: 0.0
)


def tell(**what: object) -> None:
    with open(os.environ["PEER_LOG"], "a") as log:
        log.write(json.dumps({"at": time.time(), **what}) + "\n")


@server.rtc_session()
async def call(job: JobContext) -> None:
    session = AgentSession(
        stt=openai.STT(model="whisper-1", language="en", base_url=SPEECH, api_key="none", use_realtime=False),
        llm=openai.LLM(
            model=os.environ["PEER_MODEL"], base_url=LLM, api_key="none", temperature=0.7,
            extra_body={"max_tokens": 200, "seed": 7},
        ),
        tts=openai.TTS(model="tts-1", voice="alloy", base_url=SPEECH, api_key="none", response_format="pcm"),
        turn_handling=HOW,
    )  # fmt: skip

    @session.on("conversation_item_added")
    def added(event: ConversationItemAddedEvent) -> None:
        if getattr(event.item, "role", "") == "user":
            tell(said=event.item.text_content or "")

    @session.on("agent_state_changed")
    def changed(event: AgentStateChangedEvent) -> None:
        if event.new_state == "speaking":
            tell(speaks=True)

    await session.start(agent=Agent(instructions=os.environ["PEER_INSTRUCTIONS"]), room=job.room)
    await job.connect()


if __name__ == "__main__":
    cli.run_app(server)
