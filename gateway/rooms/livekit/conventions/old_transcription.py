"""Transcription packets (`rtc.Transcription`), as clients before text streams read them; only while such a client is there."""

from collections.abc import Sequence

from gateway.rooms.livekit.conventions._sending import Old, Scene, Send
from gateway.rooms.livekit.facts import Fact, ReplyEnded, UserText, WordsSounded


class OldTranscription:
    def tell(self, fact: Fact, scene: Scene) -> Sequence[Send]:
        if not scene.old_clients:
            return []
        match fact:
            case UserText():
                track = scene.tracks.get(fact.participant, "")
                return [Old(fact.participant, track, fact.segment, fact.text, fact.final)]
            case WordsSounded():
                return [Old(scene.identity, scene.track, fact.segment, fact.said, False)]
            case ReplyEnded() if fact.text:
                return [Old(scene.identity, scene.track, fact.segment, fact.text, True)]
            case _:
                return []
