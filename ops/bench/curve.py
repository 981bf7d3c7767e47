"""`antiphon bench curve`: what shorter waits give, and what they cost: latency against talk-over and spoilt turns.

Recorded lines are spoken to the real turn-taking in virtual time while the setting `turn_taking.waits` goes from 0 to 1.5 times
what it is. What the models made of every line was recorded once (`data/lines.jsonl`): with that, the
curve needs no model, and comes out the same on every machine, in seconds. Stages take their medians of `bench latency`.

On the lines of one part constants are fitted; what they do is told of the others. `--wav FOLDER` draws the curve of recordings of
one's own, which the models hear first; `--stored SESSION` (a session, or an export; several) of calls that were held, whose
callers are taken to speak as they did, whatever the agent does otherwise. `--set turn_taking.NAME=VALUE` changes what else
decides; `--out FILE.svg` draws it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, groupby, pairwise
from pathlib import Path
from typing import Any

from rich.table import Table

from ops.bench import _harm, _material, _plot
from ops.bench._harm import Harm, Span
from ops.bench._recordings import folder
from ops.bench.figures import milliseconds
from ops.replay.lines import Line, Took, converse
from ops.replay.settings import changed_agent
from ops.replay.turns import replay
from schemas.config.agent import AgentSpec
from schemas.errors import AntiphonError
from schemas.events import Event, SessionStarted, SpeechPaused, SpeechResumed, SpeechStarted
from schemas.session.fold import fold_all
from schemas.session.state import SessionState

SCALES = (0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.25, 1.5)
_GOES_ON = 1.5
"""Seconds of silence after which a caller who was cut in on goes on with what they were saying."""


@dataclass(frozen=True, slots=True)
class Felt:
    """One turn, as the caller felt it. `name`: of the line, or when it began."""

    name: str
    latency: float | None
    cut_in: bool
    harm: Harm


async def bench(
    wav: Path | None = None,
    stored: Sequence[Sequence[Event]] = (),
    out: Path | None = None,
    turns: int | None = None,
    scales: Sequence[float] = SCALES,
    sets: Sequence[str] = (),
    tell: Callable[[str], object] | None = None,
    **_: Any,
) -> dict[str, Any]:
    """`sets`: settings of the agent, as `replay --set` takes them; of a stored session's own agent."""
    if stored:
        rows = [_row(scale, "all", [one for call in stored for one in _again(call, scale, sets)]) for scale in scales]
        about: dict[str, Any] = {"sessions": len(stored)}
    else:
        lines, took, models = await _heard(wav, turns, tell) if wav else _material.read(_material.KEPT)
        lines = lines[:turns]
        parts = ["all"] if wav else ["fit", "report"]
        chosen = {part: [line for line in lines if part in ("all", line.part)] for part in parts}
        agent, _ = changed_agent(AgentSpec(), sets, None, "turns")
        rows = [
            _row(scale, part, _spoken(chosen[part], waits(agent, scale), took)) for part in parts for scale in scales
        ]
        about = {"lines": len(lines), "models": models, "took": _material.told(took)}
    if out is not None:
        _plot.write(out, [row for row in rows if row["part"] != "fit"])
        about["drawn"] = str(out)
    return {**about, "curve": rows}


def table(figures: dict[str, Any]) -> Table:
    """For a person."""
    found = Table(box=None, pad_edge=False)
    names = ["part", "scale", "p50_ms", "p90_ms", "talk_over_s", "spoilt", "restarts", "cut_ins", "turns"]
    for name in names:
        found.add_column(name, justify="left" if name == "part" else "right")
    for row in figures["curve"]:
        found.add_row(*(str(row[name]) for name in names))
    return found


def _row(scale: float, part: str, felt: Sequence[Felt]) -> dict[str, Any]:
    latencies = [one.latency for one in felt if one.latency is not None]
    total = _harm.total([one.harm for one in felt])
    return {
        "part": part,
        "scale": scale,
        "turns": len(felt),
        "p50_ms": round(milliseconds(latencies, 50)) if latencies else None,
        "p90_ms": round(milliseconds(latencies, 90)) if latencies else None,
        **total,
        "spoilt_turns": [one.name for one in felt if one.harm.spoilt],
        "spoilt_percent": round(100 * total["spoilt"] / max(1, len(felt)), 1),
        "cut_ins": sum(one.cut_in for one in felt),
        "unanswered": sum(one.latency is None and not one.cut_in for one in felt),
    }


def waits(agent: AgentSpec, scale: float) -> AgentSpec:
    """`agent`, with its waits so many times as long."""
    rules = agent.turn_taking
    return agent.model_copy(update={"turn_taking": rules.model_copy(update={"waits": scale * rules.waits})})


# ── lines ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _heard(wav: Path, most: int | None, tell: Callable[[str], object] | None) -> tuple[list[Line], Took, str]:
    """Recordings of one's own, at most so many, heard now: that takes about as long as they are."""
    recordings = folder(wav)[:most]
    if not recordings:
        raise AntiphonError(f"{wav}: no .wav and no .flac there; give a folder of recordings, a turn each")
    numbers = count(1)

    def progress(line: Line) -> None:
        if tell is not None:
            tell(f"heard {next(numbers)} of {len(recordings)}: {line.name}")

    lines, models = await _material.heard(recordings, progress)
    return lines, Took(), models


def _spoken(lines: Sequence[Line], agent: AgentSpec, took: Took) -> list[Felt]:
    """Each speaker's lines in a call of their own."""
    felt: list[Felt] = []
    for _, theirs in groupby(sorted(lines, key=lambda line: line.speaker), key=lambda line: line.speaker):
        call = list(theirs)
        held = converse(call, agent, took)
        state = fold_all(held.events)
        said = [
            [(begin + start, begin + end) for start, end in line.speech]
            for line, begin in zip(call, held.began, strict=True)
        ]
        ends = [begin + line.seconds for line, begin in zip(call, held.began, strict=True)]
        felt += _felt([line.name for line in call], said, ends, held.sounded, state)
    return felt


def _felt(
    names: Sequence[str],
    said: Sequence[Sequence[Span]],
    ends: Sequence[float],
    sounded: Sequence[Span],
    state: SessionState,
) -> list[Felt]:
    """`said`: where the caller spoke, turn by turn; `ends`: each turn's last sample; `sounded`: the agent."""
    found = []
    for name, (speech, following), last_sample in zip(names, pairwise([*said, ()]), ends, strict=True):
        until = following[0][0] if following else float("inf")
        sound = _harm.joined(span for span in sounded if speech[0][0] <= span[0] < until)
        done = _harm.harm(speech, sound, _harm.taken_in(state, speech))
        latency, cut_in = _harm.latency(sound, last_sample)
        found.append(Felt(name, None if cut_in and done.spoilt else latency, cut_in, done))
    return found


# ── calls that were held ─────────────────────────────────────────────────────────────────────────────────────────────


def _again(events: Sequence[Event], scale: float, sets: Sequence[str]) -> list[Felt]:
    first = events[0] if events else None
    if not isinstance(first, SessionStarted):
        raise AntiphonError("a log begins with session.started; this one can't be replayed")
    agent, _ = changed_agent(first.agent, sets, None, "turns")
    replayed = replay(events, waits(agent, scale))
    said = _said(events)
    if not said:
        return []
    beginning = first.at / 1e6
    names = [f"{speech[0][0] - beginning:.1f} s" for speech in said]
    return _felt(names, said, [speech[-1][1] for speech in said], replayed.sounded, fold_all(replayed.events))


def _said(events: Sequence[Event]) -> list[list[Span]]:
    """Where somebody spoke, turn by turn. Who goes on soon after having been cut in on had not ended their turn."""
    stretches: list[Span] = []
    turns: list[list[Span]] = []
    since: float | None = None
    for event in events:
        if isinstance(event, SpeechStarted | SpeechResumed):
            since = event.happened if since is None else since
        elif isinstance(event, SpeechPaused) and since is not None:
            stretches.append((since, max(event.happened, since)))
            since = None
    for stretch in stretches:
        if turns and stretch[0] - turns[-1][-1][1] < _GOES_ON:
            turns[-1].append(stretch)
        else:
            turns.append([stretch])
    return turns
