"""Hears the bench's recordings with the models of the settings, and keeps what they made of them for `bench curve`.

Run by hand when a recording or a model changes: `.venv/bin/python -m ops.bench.hear_lines`. It takes minutes.
"""

import asyncio

from ops.bench import _material
from ops.bench._recordings import turns
from ops.replay.lines import Line, Took

TOOK = Took(stt=0.14, llm=0.2, tts=0.11, room=0.02)
"""Medians of `bench latency` on two shared cores."""


async def main() -> None:
    lines, models = await _material.heard(turns(), tell)
    _material.write(_material.KEPT, lines, TOOK, models)
    print(f"{len(lines)} lines, {sum(len(line.heard) for line in lines)} transcripts: {_material.KEPT}")


def tell(line: Line) -> None:
    print(f"{line.name}: {line.heard[-1].text if line.heard else '(nothing)'}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
