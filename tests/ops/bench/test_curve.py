"""`antiphon bench curve`: the material, what is measured of it, and the picture."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from gateway.turn_taking import SpeechEdge
from ops.bench import _material, _plot, curve
from ops.bench._recordings import part_of, turns
from ops.replay.scripted import Says, held
from schemas.audio import HEARING_RATE
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.errors import AntiphonError

ROW = {"part": "report", "spoilt": 1, "restarts": 0, "cut_ins": 0, "turns": 9, "p90_ms": 900}


def _samples(seconds: float) -> int:
    return round(seconds * HEARING_RATE)


def _edge(kind: str, position: float) -> SpeechEdge:
    at = _samples(position)
    return SpeechEdge("", kind, at, at + 512)  # type: ignore[arg-type]


def test_every_stretch_that_may_be_asked_about_is_heard() -> None:
    """To each soft end, from the beginning and from where speech goes on after a silence that leaves room for an answer; a gap
    between two words has no soft end."""
    edges = [
        _edge("start", 0.0), _edge("stop", 1.0),
        _edge("start", 1.05), _edge("stop", 1.5),
        _edge("start", 1.65), _edge("stop", 2.0),
        _edge("start", 2.8), _edge("stop", 3.5),
    ]  # fmt: skip
    found = [(a / HEARING_RATE, b / HEARING_RATE) for a, b in _material.asked_about(edges, _samples(3.5))]
    assert found == [pytest.approx(one) for one in [(-0.4, 1.59), (-0.4, 2.09), (-0.4, 3.59), (2.4, 3.59)]]


def test_what_was_heard_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The file gives back the lines; another is refused in a sentence."""
    lines, took, models = _material.read(_material.KEPT)
    _material.write(tmp_path / "lines.jsonl", lines, took, models)
    assert _material.read(tmp_path / "lines.jsonl") == (lines, took, models)
    (tmp_path / "other.jsonl").write_text('{"version": 99}\n')
    with pytest.raises(AntiphonError, match="of version 99"):
        _material.read(tmp_path / "other.jsonl")
    (tmp_path / "none.jsonl").write_text("nothing\n")
    with pytest.raises(AntiphonError, match="expected lines heard once"):
        _material.read(tmp_path / "none.jsonl")


def test_the_file_is_of_the_recordings_there_are() -> None:
    """Each of the bench's recordings is in the file, in one part of the two, which its name decides; both have their share of
    those with pauses."""
    lines, _, _ = _material.read(_material.KEPT)
    assert {line.name for line in lines} == {turn.name for turn in turns()}
    assert all(line.part == part_of(line.name) for line in lines)
    parts = [sum(line.part == part for line in lines) for part in ("fit", "report")]
    pausing = [sum(line.pauses and line.part == part for line in lines) for part in ("fit", "report")]
    assert min(parts) > 0.4 * sum(parts)
    assert min(pausing) > 0.3 * sum(pausing)


async def test_the_curve_falls_and_rises() -> None:
    """Longer waits answer later and cut in less often. (Much shorter ones than today's gain nothing: what they cut in upon is
    begun anew.) Without a model, and each time the same."""
    found = await curve.bench(scales=(0.0, 1.0, 1.5), turns=24)
    rows = {(row["part"], row["scale"]): row for row in found["curve"]}
    for part in ("fit", "report"):
        assert max(rows[part, 0.0]["p50_ms"], rows[part, 1.0]["p50_ms"]) <= rows[part, 1.5]["p50_ms"]
        assert rows[part, 0.0]["cut_ins"] >= rows[part, 1.0]["cut_ins"] >= rows[part, 1.5]["cut_ins"]
        assert rows[part, 1.0]["unanswered"] == 0
        assert len(rows[part, 0.0]["spoilt_turns"]) == rows[part, 0.0]["spoilt"]
    assert found == await curve.bench(scales=(0.0, 1.0, 1.5), turns=24)
    assert curve.table(found).row_count == len(found["curve"]) == 6
    json.dumps(found)


async def test_a_call_that_was_held_has_a_curve(tmp_path: Path) -> None:
    """Of a stored session each of the caller's turns is measured; they are answered sooner where nothing is waited for."""
    call = held(
        [Says(1.0, "I would like to know if you are open", pause=0.7), Says(12.0, "And on Sunday?")], until=20.0
    )
    found = await curve.bench(stored=[call], scales=(0.0, 1.0), out=tmp_path / "curve.svg")
    none, today = found["curve"]
    assert (none["turns"], today["turns"]) == (2, 2)
    assert none["p50_ms"] <= today["p50_ms"]
    assert ElementTree.fromstring((tmp_path / "curve.svg").read_text()).tag.endswith("svg")


async def test_other_settings_have_a_curve_of_their_own() -> None:
    """Whatever else an agent decides by can be set; what is no such setting is refused in a sentence."""
    (patient,) = (
        await curve.bench(scales=(1.0,), turns=2, sets=["turn_taking.commit_min=3.0", "turn_taking.commit_max=3.0"])
    )["curve"][:1]
    (today,) = (await curve.bench(scales=(1.0,), turns=2))["curve"][:1]
    assert patient["p50_ms"] > 2900 > today["p50_ms"]
    with pytest.raises(AntiphonError, match="expected NAME=VALUE"):
        await curve.bench(sets=["turn_taking.commit_min"])


async def test_an_empty_folder_is_a_sentence(tmp_path: Path) -> None:
    """A folder without recordings is told what belongs there; so is one with a recording of nothing."""
    with pytest.raises(AntiphonError, match=r"no \.wav and no \.flac there"):
        await curve.bench(wav=tmp_path)
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000, np.int16), HEARING_RATE)
    with pytest.raises(AntiphonError, match=r"silent\.wav: nothing sounds in it"):
        await curve.bench(wav=tmp_path)


def test_a_scale_is_what_the_setting_would_do() -> None:
    """`waits` is shorter or longer, from what the agent has; nothing else is another."""
    agent = AgentSpec(turn_taking=TurnTaking(waits=0.8))
    half = curve.waits(agent, 0.5)
    assert half == AgentSpec(turn_taking=TurnTaking(waits=0.4))
    assert curve.waits(agent, 1.0) == agent


def test_the_picture_is_one_and_only_svg(tmp_path: Path) -> None:
    """Each scale is a point of both lines; another ending of the name is refused."""
    rows = [
        {**ROW, "scale": scale, "p50_ms": 500 + 200 * scale, "spoilt_percent": 4 - 2 * scale, "talk_over_s": 3 - scale}
        for scale in (0.0, 0.5, 1.0)
    ]
    picture = ElementTree.fromstring(_plot.drawn(rows))
    circles = [one for one in picture.iter() if one.tag.endswith("circle")]
    assert len(circles) == 6
    assert all(0 < float(one.attrib["cx"]) < 720 and 0 < float(one.attrib["cy"]) < 400 for one in circles)
    with pytest.raises(AntiphonError, match=r"ends in \.svg"):
        _plot.write(tmp_path / "curve.png", rows)


@pytest.mark.models
async def test_a_line_is_heard_by_the_real_models() -> None:
    """A question of somebody real is found where it is, whole, and asked about once at least."""
    turn = next(one for one in turns() if one.name.startswith("endgame_nagg_nell 0.1"))
    (line,), models = await _material.heard([turn])
    assert line.heard[-1].text.startswith("Do you hear me")
    assert next(edge.kind for edge in line.edges if edge.kind in ("start", "stop")) == "start"
    assert line.edges[-1].kind == "stop"
    assert line.speech[-1][1] == pytest.approx(line.seconds, abs=0.05)
    assert abs(line.edges[-1].position / HEARING_RATE - line.seconds) < 0.15
    assert "tiny.en" in models
    assert np.all(np.diff([edge.head for edge in line.edges]) >= 0)
