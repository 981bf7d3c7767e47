"""A voice of a few kilobytes, wired as Piper's are: encoder and durations, noisy prior, flow, decoder; two speakers."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LETTERS = "_^$ abcdefghijklmnopqrstuvwxyz,."
HOP = 4
_WIDTH = 6


class Spelling:
    """Letters for phonemes."""

    language = "xx"
    known: Mapping[str, Sequence[int]] = {letter: [number] for number, letter in enumerate(LETTERS)}

    def phonemize(self, text: str) -> list[list[str]]:
        return [list(text.lower())]

    def ids(self, phonemes: list[str]) -> list[int]:
        middle = [number for one in phonemes for number in (*self.known[one], 0)]
        return [1, 0, *middle, 2]


def tiny_voice(*, noisy: bool = True, named: bool = True, speaker_everywhere: bool = True) -> onnx.ModelProto:
    """`noisy`: with a random prior; `named`: decoder nodes are called /dec/…; `speaker_everywhere`: the speaker enters flow
    and decoder too."""
    random = np.random.Generator(np.random.PCG64(5))
    constants: dict[str, np.ndarray] = {
        "emb": random.normal(size=(len(LETTERS), _WIDTH)).astype(np.float32),
        "emb_g": random.normal(size=(2, _WIDTH)).astype(np.float32),
        "lengths": random.uniform(1, 5, size=(len(LETTERS), 1)).astype(np.float32),
        "flow_w": (random.normal(size=(_WIDTH, _WIDTH, 5)) / 5).astype(np.float32),
        "pre_w": (random.normal(size=(_WIDTH, _WIDTH, 7)) / 5).astype(np.float32),
        "up_w": (random.normal(size=(_WIDTH, 1, 2 * HOP)) / 3).astype(np.float32),
        "half": np.array(0.5, np.float32),
        "zero": np.array(0.0, np.float32),
        "one": np.array(1.0, np.float32),
        "i0": np.array(0, np.int64),
        "i1": np.array(1, np.int64),
        "axis1": np.array([1], np.int64),
        "axis2": np.array([2], np.int64),
        "flat": np.array([1, 1, -1], np.int64),
        "column": np.array([1, -1, 1], np.int64),
    }
    nodes: list[onnx.NodeProto] = []

    def node(kind: str, inputs: str, output: str, name: str = "", **attributes: object) -> None:
        nodes.append(
            helper.make_node(kind, inputs.split(), [output], name=name or f"/{kind}_{len(nodes)}", **attributes)
        )

    decoder = "/dec/" if named else "/out/"
    node("Gather", "emb input", "x")
    node("Transpose", "x", "text", perm=[0, 2, 1])
    node("Gather", "emb_g sid", "speaker_row")
    node("Unsqueeze", "speaker_row axis2", "g")
    # durations, as frames per id
    node("Gather", "lengths input", "w_raw")
    node("Transpose", "w_raw", "w_row", perm=[0, 2, 1])
    node("Gather", "scales i1", "length_scale")
    node("Mul", "w_row length_scale", "w_scaled")
    node("Ceil", "w_scaled", "w")
    # every id for as many frames
    node("CumSum", "w i2", "ends")
    node("Sub", "ends w", "starts")
    node("ReduceSum", "w", "total", keepdims=0)
    node("Range", "zero total one", "frame")
    node("Reshape", "frame flat", "frames")
    node("Reshape", "ends column", "ends_column")
    node("Reshape", "starts column", "starts_column")
    node("Less", "frames ends_column", "before_end")
    node("GreaterOrEqual", "frames starts_column", "after_start")
    node("And", "before_end after_start", "inside")
    node("Cast", "inside", "path", to=TensorProto.FLOAT)
    node("MatMul", "text path", "mean")
    node("ReduceSum", "path axis1", "mask", keepdims=1)
    if noisy:
        node("RandomNormalLike", "mean", "noise")
        node("Gather", "scales i0", "noise_scale")
        node("Mul", "noise noise_scale", "scaled_noise")
        node("Add", "mean scaled_noise", "prior")
    else:
        node("Identity", "mean", "prior")
    node("Conv", "prior flow_w", "flowed", pads=[2, 2])
    node("Add" if speaker_everywhere else "Identity", "flowed g" if speaker_everywhere else "flowed", "told")
    node("Tanh", "told", "bent")
    node("Mul", "bent mask", "latent")
    node("Conv", "latent pre_w", "pre", name=f"{decoder}pre", pads=[3, 3])
    node(
        "Add" if speaker_everywhere else "Identity", "pre g" if speaker_everywhere else "pre", "voiced", f"{decoder}add"
    )
    node("ConvTranspose", "voiced up_w", "wave", f"{decoder}up", strides=[HOP], pads=[HOP // 2, HOP // 2])
    node("Tanh", "wave", "loud", f"{decoder}tanh")
    node("Unsqueeze", "loud axis1", "output", "/Unsqueeze_last")
    constants["i2"] = np.array(2, np.int64)
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, "ids"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
        helper.make_tensor_value_info("sid", TensorProto.INT64, [1]),
    ]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, None)
    values = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, [output], values)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
