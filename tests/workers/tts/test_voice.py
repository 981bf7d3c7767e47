"""Graphs of other voices than the packaged one, played by a tiny voice."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from tests.workers.tts.tiny_voice import HOP, Spelling, tiny_voice
from workers.testing.contracts.tts import WholeClip
from workers.tts._voice import LoadedVoice, Scales

SCALES = Scales(noise=0.6, length=1.0, noise_width=0.8, speaker=0)
TEXT = "the voice goes on and on, and on again until the very end of a long story is told."


def voice(model: onnx.ModelProto, scales: Scales = SCALES) -> LoadedVoice:
    return LoadedVoice(model, Spelling(), scales, rate=1_000, threads=2, device="cpu")


def clip(made: LoadedVoice) -> WholeClip:
    return WholeClip(list(made.speak(TEXT)))


@pytest.mark.parametrize(
    ("model", "depth"),
    [
        (tiny_voice(), 2),
        (tiny_voice(speaker_everywhere=False), 2),
        (tiny_voice(noisy=False), 1),
        (tiny_voice(named=False), 0),
    ],
    ids=["speakers", "one speaker inside", "no noise", "nameless"],
)
def test_a_graph_is_cut_as_far_as_it_can_be(model: onnx.ModelProto, depth: int) -> None:
    """However far a graph can be taken apart, its sound and its words are those of the whole graph."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    for node in whole.graph.node:
        node.name = node.name.replace("/dec/", "/other/")

    cut, one = voice(model), voice(whole)

    assert (cut.cut_depth, one.cut_depth) == (depth, 0)
    assert cut.hop == one.hop == HOP
    parts, piece = clip(cut), clip(one)
    assert len(parts.parts) > 1 if depth else len(parts.parts) == 1
    assert len(parts.pcm) == len(piece.pcm)
    assert np.abs(parts.pcm.astype(int) - piece.pcm.astype(int)).max() <= 2
    assert [word.text for word in parts.words] == [word.text for word in piece.words]
    assert np.allclose([(w.start, w.end) for w in parts.words], [(w.start, w.end) for w in piece.words])


def test_speakers_have_voices_of_their_own() -> None:
    """The speaker reaches encoder, flow and decoder: another one sounds different."""
    first, second = clip(voice(tiny_voice())), clip(voice(tiny_voice(), replace(SCALES, speaker=1)))

    assert len(first.pcm) == len(second.pcm)
    assert np.abs(first.pcm.astype(int) - second.pcm.astype(int)).max() > 1_000


def test_a_decoder_that_looks_further_is_left_whole() -> None:
    """A graph that sounds different in parts (its decoder looks further than ours do) is found out when it is loaded."""
    model = tiny_voice()
    (weights,) = [one for one in model.graph.initializer if one.name == "pre_w"]
    (node,) = [one for one in model.graph.node if one.name == "/dec/pre"]
    wide = np.random.Generator(np.random.PCG64(2)).normal(0, 0.2, (6, 6, 81)).astype(np.float32)
    weights.CopyFrom(onnx.numpy_helper.from_array(wide, "pre_w"))
    (pads,) = [one for one in node.attribute if one.name == "pads"]
    pads.ints[:] = [40, 40]

    assert voice(model).cut_depth == 0


def test_no_voice_at_all() -> None:
    """A graph without phoneme lengths is no voice."""
    with pytest.raises(ValueError, match="expected one tensor of phoneme lengths"):
        voice(onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], [])))


def test_letters_are_timed() -> None:
    """Every word of the tiny voice lasts as long as its letters' frames."""
    made = clip(voice(tiny_voice()))

    assert [word.text for word in made.words] == TEXT.split()
    assert all(one.end <= two.start for one, two in zip(made.words, made.words[1:], strict=False))
    assert made.words[-1].end <= made.duration
