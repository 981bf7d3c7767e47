"""`antiphon worker`: one worker of a stage, or of background jobs, until it is told to stop."""

from typing import Annotated, Literal

import typer

from ops import console
from ops.commands._options import JsonLog, given, log_format

Work = Literal[
    "stt", "llm", "tts", "tools", "jobs"
]  # the stages as in schemas.events, which loads numpy: too much for `--help`


def worker(
    stage: Annotated[
        Work,
        typer.Argument(help="The stage it serves; tools: what agents call; jobs: it archives what has ended."),
    ],
    batch: Annotated[int | None, typer.Option(min=1, help="Jobs of different sessions at once (WORKER_BATCH).")] = None,
    slots: Annotated[int | None, typer.Option(min=1, help="Jobs in hand at once (WORKER_SLOTS).")] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"] | None, typer.Option(help="STT_DEVICE or TTS_DEVICE.")] = None,
    json: JsonLog = False,
) -> None:
    """Run one worker of a stage.

    \b
    Examples:
      antiphon worker stt --batch 8
      antiphon worker tools
      antiphon worker jobs
    """
    from ops.stack.here import settings_here, with_its_agents

    if stage == "jobs":
        if given(batch=batch, slots=slots, device=device):
            console.fail("--batch, --slots and --device are for stages; jobs has none of them", console.USAGE)
        from ops.jobs.worker import run_jobs

        console.run(lambda: run_jobs(settings_here(**log_format(json))))
        return
    from workers.main import run_worker

    devices = {} if device is None else {"stt": {"stt_device": device}, "tts": {"tts_device": device}}.get(stage, {})
    options = given(worker_batch=batch, worker_slots=slots, **devices)
    console.run(lambda: run_worker(stage, with_its_agents(settings_here(**options, **log_format(json)))))
