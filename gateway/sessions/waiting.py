"""What a session waits for from the workers. A room that runs as fast as it goes stands at real time meanwhile."""

from collections.abc import Iterable

from schemas.events import (
    ClipReady,
    Event,
    PlaybackFinished,
    ReplyFinished,
    ReplySentence,
    StageExpired,
    StageFailed,
    TranscriptFinal,
    TurnEnded,
)
from schemas.jobs import Job, LlmJob, SttJob, TtsJob

_Key = tuple[str, str, int | None, int]
"""(stage, utterance or phrase, turn, sentence)"""


class Waiting:
    """Jobs enqueued and not yet answered, as far as the session's own publications and log show them."""

    def __init__(self) -> None:
        self._open: dict[_Key, Job | None] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def asked(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            if isinstance(job, SttJob):
                if job.replaces is not None:
                    self._open.pop(("stt", job.replaces, None, 0), None)
                if not job.partial:
                    self._open["stt", job.utterance, None, 0] = job
            elif isinstance(job, TtsJob):
                self._open["tts", job.phrase or "", job.turn, job.index] = job
            else:
                self._open["llm", "", job.turn, 0] = job

    def read(self, event: Event) -> None:
        """An event of the log answers a job, asks for the next, or makes it void."""
        if event.raises is not None:
            for key in [k for k, job in self._open.items() if k[0] != "stt" and not k[1] and _older(job, event.raises)]:
                del self._open[key]
        match event:
            case TranscriptFinal():
                job = self._open.pop(("stt", event.utterance, None, 0), None)
                if isinstance(job, SttJob) and job.then is not None and event.text.strip():
                    self._open["llm", "", job.then.turn, 0] = job.then
            case ReplySentence() if event.cause is not None:  # a worker's: it asked for the sound in the same commit
                self._open["tts", "", event.turn, event.index] = self._open.get(("llm", "", event.turn, 0))
            case ReplyFinished():
                self._open.pop(("llm", "", event.turn, 0), None)
            case ClipReady() if event.last:
                self._open.pop(("tts", event.phrase or "", event.turn, event.index), None)
            case PlaybackFinished():  # with no clip, where it is told as text
                self._open.pop(("tts", "", event.turn, event.index), None)
            case StageFailed() | StageExpired():
                self._open.pop((event.stage, event.utterance or event.phrase or "", *_place(event)), None)
            case TurnEnded():
                for key in [k for k in self._open if k[2] == event.turn and k[2] is not None]:
                    del self._open[key]
            case _:
                pass


def _place(event: StageFailed | StageExpired) -> tuple[int | None, int]:
    return (None if event.stage == "stt" else event.turn), event.index or 0


def _older(job: Job | None, generation: int) -> bool:
    return isinstance(job, LlmJob | TtsJob) and job.generation is not None and job.generation < generation
