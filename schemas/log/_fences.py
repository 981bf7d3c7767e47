"""What fences a job, and what it waits for: read off the job, the same for both implementations."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from schemas.stages import Stage

if TYPE_CHECKING:
    from schemas.events import Event
    from schemas.jobs import Job

POSTABLE = frozenset(
    {
        "say.requested",
        "message.received",
        "instructions.changed",
        "end.requested",
        "action.requested",
        "tool.returned",
        "memory.loaded",
        "context.summarized",
        "hook.called",
        "step.entered",
        "agent.changed",
    }
)


def fence_of(job: "Job") -> tuple[str, str]:
    """(field of the session's hash, the value it must have), or ("", "") for a job nothing fences."""
    if job.stage == "stt":
        return ("", "") if job.partial else (f"hear:{job.participant}", job.utterance)
    return ("", "") if job.generation is None else ("gen", str(job.generation))


def replaces(job: "Job") -> str:
    return job.replaces or "" if job.stage == "stt" and not job.partial else ""


def perishable(job: "Job") -> bool:
    """Past its deadline it is dropped without an event."""
    return job.stage == "stt" and job.partial


def asked_limits(jobs: "Iterable[Job]", limits: Mapping[Stage, int]) -> dict[Stage, int]:
    """The limits that count for these jobs: of their stages, and of the stages their `then` names."""
    asked: dict[Stage, int] = {}
    for job in jobs:
        follower = job.then if job.stage == "stt" else None
        for stage in (job.stage, follower.stage if follower else job.stage):
            if stage in limits:
                asked[stage] = limits[stage]
    return asked


def reason_of(events: "Iterable[Event]") -> str:
    """Why a job died, from its `stage.failed`."""
    reason = ""
    for event in events:
        if event.type == "stage.failed":
            reason = f"{event.code}: {event.message}"
    return reason


def check_postable(event: "Event") -> None:
    if event.type not in POSTABLE:
        raise ValueError(
            f"post takes {', '.join(sorted(POSTABLE))}, not {event.type}: only the session's gateway appends it"
        )
